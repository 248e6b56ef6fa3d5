//! The Prometheus text format 0.0.4, read more strictly than Prometheus does.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(crate) struct Exposition {
    /// Type by name, of everything that is announced.
    types: BTreeMap<String, String>,
    /// By name and labels, as they stand there. Sums alone are no whole numbers.
    series: BTreeMap<String, String>,
    labels: BTreeSet<(String, String)>,
}

impl Exposition {
    /// Every sample has its metric's HELP and TYPE right before it, each series is there once, and histograms add up.
    pub(crate) fn parse(text: &str) -> Self {
        let mut read = Self::default();
        assert!(text.ends_with('\n') && !text.contains("\n\n"), "{text}");
        let mut current = (String::new(), String::new());
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, said) = help.split_once(' ').unwrap();
                assert!(said.len() > 10, "{line}");
                let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(read.types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
                current = (name.to_owned(), kind.to_owned());
            } else {
                read.sample(line, &current);
            }
        }
        read.histograms_add_up();
        read
    }

    fn sample(&mut self, line: &str, (name, kind): &(String, String)) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (base, labels) = series.split_once('{').unwrap_or((series, "}"));
        let suffix = base.strip_prefix(name.as_str()).unwrap_or_else(|| panic!("{line} is not of {name}"));
        let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.contains(&suffix), "{line}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(base.starts_with("einmal_") && is_name(base), "{line}");
        let labels = labels.strip_suffix('}').unwrap();
        for label in labels.split_terminator("\",") {
            let (key, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            let value = value.trim_end_matches('"');
            assert!(is_name(key) && !value.contains(['"', '\\', '\n']), "{line}");
            self.labels.insert((key.to_owned(), value.to_owned()));
        }
        let number: f64 = value.parse().unwrap();
        assert!(number >= 0.0 && number.is_finite(), "{line}");
        assert!(suffix == "_sum" || value.parse::<u64>().is_ok(), "{line}");
        assert!(self.series.insert(series.to_owned(), value.to_owned()).is_none(), "{series} twice");
    }

    fn histograms_add_up(&self) {
        for (name, _) in self.types.iter().filter(|(_, kind)| *kind == "histogram") {
            let counts =
                self.series.iter().filter(|(series, _)| series.starts_with(&format!("{name}_count")));
            for (count, total) in counts {
                let total: u64 = total.parse().unwrap();
                let labels = count.strip_prefix(&format!("{name}_count")).unwrap();
                let labels = labels.trim_start_matches('{').trim_end_matches('}');
                let of_these = |series: &str| {
                    let inner = series.strip_prefix(&format!("{name}_bucket{{"))?;
                    let inner = inner.strip_suffix('}')?;
                    let (le, others): (Vec<_>, Vec<_>) =
                        inner.split(',').partition(|label| label.starts_with("le="));
                    let bound = le.first()?.split('"').nth(1)?.to_owned();
                    (others.join(",") == labels).then_some(bound)
                };
                let mut buckets: Vec<(f64, u64)> = self
                    .series
                    .iter()
                    .filter_map(|(series, value)| {
                        Some((of_these(series)?.replace("+Inf", "inf").parse().ok()?, value.parse().ok()?))
                    })
                    .collect();
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(buckets.len() > 5 && buckets.is_sorted_by(|a, b| a.1 <= b.1), "{count}: {buckets:?}");
                assert_eq!(buckets.last().unwrap(), &(f64::INFINITY, total), "{count}");
            }
        }
    }

    pub(crate) fn value(&self, series: &str) -> u64 {
        let found = self.series.get(series);
        let found = found.unwrap_or_else(|| panic!("no {series} in\n{:#?}", self.series.keys()));
        found.parse().unwrap()
    }

    pub(crate) fn value_or_zero(&self, series: &str) -> u64 {
        if self.has(series) { self.value(series) } else { 0 }
    }

    /// Of all series of this metric.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        let of_it = self.series.iter().filter(|(series, _)| series.split('{').next() == Some(name));
        of_it.map(|(_, value)| value.parse::<u64>().unwrap()).sum()
    }

    pub(crate) fn has(&self, series: &str) -> bool {
        self.series.contains_key(series)
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.types.keys().cloned().collect()
    }

    /// Its type.
    pub(crate) fn kind(&self, name: &str) -> Option<&str> {
        self.types.get(name).map(String::as_str)
    }

    /// The values that a label has in the series of one metric.
    pub(crate) fn values_in(&self, name: &str, label: &str) -> BTreeSet<&str> {
        let of_it = self.series.keys().filter_map(|series| series.strip_prefix(name));
        let labels =
            of_it.filter(|rest| rest.starts_with(['{', '_'])).filter_map(|rest| rest.split_once('{'));
        let all = labels.flat_map(|(_, labels)| labels.trim_end_matches('}').split("\","));
        let pairs = all.filter_map(|one| one.split_once("=\""));
        pairs.filter(|(key, _)| *key == label).map(|(_, value)| value.trim_end_matches('"')).collect()
    }

    pub(crate) fn values_of(&self, label: &str) -> BTreeSet<&str> {
        self.labels.iter().filter(|(key, _)| key == label).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn label_names(&self) -> BTreeSet<&str> {
        self.labels.iter().map(|(key, _)| key.as_str()).collect()
    }
}
