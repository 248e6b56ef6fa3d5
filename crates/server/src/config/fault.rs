//! What is wrong with a configuration, as the operator reads it. Never shows the value of a secret.

use std::fmt;

/// Where a value was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nowhere, or somewhere in the file as a whole.
    #[default]
    Whole,
    /// A line of the file, counted from 1.
    Line(usize),
    /// An environment variable.
    Variable(String),
}

/// One fault: where, which key, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub place: Place,
    /// Dotted path of the key, such as `issuers.0.audiences`; empty if the fault is not about one.
    pub key: String,
    pub message: String,
}

impl Fault {
    pub fn new(place: Place, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place, key: key.into(), message: message.into() }
    }
}

/// Why there is no configuration to work with. The exit code for it is 2.
#[derive(Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Neither a file nor an environment variable configures anything.
    Absent,
    /// The file could not be read.
    Unreadable { file: String, reason: String },
    /// Everything that is wrong, in the order of the file; never empty.
    Faulty { file: Option<String>, faults: Vec<Fault> },
}

impl ConfigError {
    pub(super) fn faulty(file: Option<&str>, mut faults: Vec<Fault>) -> Self {
        faults.sort();
        faults.dedup();
        Self::Faulty { file: file.map(str::to_owned), faults }
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// What was expected, without where: for what did not come from a file.
    pub fn messages(&self) -> String {
        match self {
            Self::Faulty { faults, .. } => {
                let messages: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
                messages.join("; ")
            }
            other => other.to_string(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str(
                "no configuration: name a file by --config FILE or EINMAL_CONFIG \
                 (to try einmal without one, run `einmal dev`)",
            ),
            Self::Unreadable { file, reason } => write!(f, "{file}: cannot be read: {reason}"),
            Self::Faulty { file, faults } => {
                let lines: Vec<String> = faults.iter().map(|fault| line(file.as_deref(), fault)).collect();
                match lines.as_slice() {
                    [only] => f.write_str(only),
                    several => {
                        write!(f, "{} faults in the configuration\n  {}", several.len(), several.join("\n  "))
                    }
                }
            }
        }
    }
}

fn line(file: Option<&str>, fault: &Fault) -> String {
    let place = match (&fault.place, file) {
        (Place::Variable(name), _) => name.clone(),
        (Place::Line(line), Some(file)) => format!("{file}:{line}"),
        (_, Some(file)) => file.to_owned(),
        (_, None) => "environment".to_owned(),
    };
    let key = if fault.key.is_empty() { String::new() } else { format!("{}: ", fault.key) };
    format!("{place}: {key}{}", fault.message)
}
