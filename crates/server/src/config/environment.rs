//! The environment variables of the process: the only place that reads them, once.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// Variables by name. Whoever tests passes their own.
pub struct Environment(BTreeMap<OsString, OsString>);

/// A variable whose name sets a key of the configuration.
pub struct Override<'a> {
    pub name: &'a str,
    /// `None` if it is not UTF-8.
    pub value: Option<&'a str>,
}

/// Why a variable has no usable value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableError {
    NotSet,
    NotUtf8,
}

impl Environment {
    pub const PREFIX: &'static str = "EINMAL__";

    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    pub fn get(&self, name: &str) -> Result<&str, VariableError> {
        let value = self.0.get(std::ffi::OsStr::new(name)).ok_or(VariableError::NotSet)?;
        value.to_str().ok_or(VariableError::NotUtf8)
    }

    /// Everything that begins with [`Self::PREFIX`].
    pub fn overrides(&self) -> impl Iterator<Item = Override<'_>> {
        self.0.iter().filter_map(|(name, value)| {
            let name = name.to_str().filter(|name| name.starts_with(Self::PREFIX))?;
            Some(Override { name, value: value.to_str() })
        })
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        variables.into_iter().collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
