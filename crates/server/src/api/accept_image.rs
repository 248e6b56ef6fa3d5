//! Which of two kinds of image a client gets. It must look at headers alone.

use super::error::ApiError;
use super::negotiate::{not_acceptable, split_parameter, weight};
use axum::extract::FromRequestParts;
use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

/// The kind that the client likes best; SVG where it likes both the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AcceptsImage {
    Svg,
    Png,
}

impl AcceptsImage {
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
        }
    }
}

impl<S: Sync> FromRequestParts<S> for AcceptsImage {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        choose(&parts.headers).ok_or_else(not_acceptable)
    }
}

pub(super) fn choose(headers: &HeaderMap) -> Option<AcceptsImage> {
    let ranges = headers.get_all(ACCEPT).iter().map(HeaderValue::as_bytes).flat_map(|line| {
        line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|range| !range.is_empty())
    });
    let mut ranges = ranges.peekable();
    if ranges.peek().is_none() {
        return Some(AcceptsImage::Svg);
    }
    let (mut svg, mut png) = (Liking::default(), Liking::default());
    for range in ranges {
        svg.hear(range, AcceptsImage::Svg);
        png.hear(range, AcceptsImage::Png);
    }
    match (svg.weight, png.weight) {
        (0, 0) => None,
        (svg, png) if png > svg => Some(AcceptsImage::Png),
        _ => Some(AcceptsImage::Svg),
    }
}

/// What the ranges so far say of one media type: the most specific one counts (RFC 9110 section 12.5.1).
#[derive(Default)]
struct Liking {
    specificity: u8,
    weight: u16,
}

impl Liking {
    fn hear(&mut self, range: &[u8], image: AcceptsImage) {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let media_range = parts.next().unwrap_or_default();
        let specificity = match media_range {
            b"*/*" => 1,
            _ if media_range.eq_ignore_ascii_case(b"image/*") => 2,
            _ if media_range.eq_ignore_ascii_case(image.media_type().as_bytes()) => 3,
            _ => return,
        };
        let weights = parts.map(split_parameter).filter(|(name, _)| name.eq_ignore_ascii_case(b"q"));
        let weights = weights.map(|(_, value)| weight(value)).collect::<Option<Vec<_>>>();
        let Some(weight) = weights.map(|weights| weights.into_iter().min().unwrap_or(1_000)) else { return };
        if specificity > self.specificity {
            *self = Self { specificity, weight };
        } else if specificity == self.specificity {
            self.weight = self.weight.max(weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_one_that_the_client_likes_best() {
        let chosen = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT, line.parse().unwrap());
            }
            choose(&headers)
        };
        let (svg, png) = (Some(AcceptsImage::Svg), Some(AcceptsImage::Png));
        for (lines, expected) in [
            (&[][..], svg),
            (&[""], svg),
            (&["*/*"], svg),
            (&["image/*"], svg),
            (&["image/png"], png),
            (&["IMAGE/PNG; q=0.001"], png),
            (&["image/svg+xml"], svg),
            (&["image/png, image/svg+xml"], svg),
            (&["image/svg+xml;q=0.8, image/png;q=0.9"], png),
            (&["image/svg+xml;q=0.9", "image/png;q=0.8"], svg),
            (&["image/svg+xml;q=0, */*"], png),
            (&["image/svg+xml;q=0.1, image/*;q=0.5, */*"], png),
            (&["image/png, */*;q=0.1"], png),
            (&["image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"], svg),
            (&["image/*;q=0, */*"], None),
            (&["image/svg+xml;q=0, image/png;q=0.000"], None),
            (&["image/png;q=2"], None),
            (&["application/json"], None),
            (&["text/html, image/webp"], None),
            (&["image"], None),
        ] {
            assert_eq!(chosen(lines), expected, "{lines:?}");
        }
    }
}
