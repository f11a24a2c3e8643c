//! The validated values of a context: each is parsed once, at the edge, and carries the proof in
//! its type.
//!
//! Pure: nothing here reads a file, the environment or the clock. What a value refers to (a file,
//! a variable, a command) is resolved by `context::token`, never here.

mod address;
mod byte_size;
mod domain;
mod host_key;
mod name;
mod owners;
mod port_list;
mod quotas;
mod token_source;
mod token_text;
mod traefik_version;

pub use address::{Host, host_ipv4, host_ipv6};
pub use byte_size::ByteSize;
pub use domain::{AcmeCaServer, BaseDomain, CertEmail};
pub use host_key::HostKey;
pub use name::{ContextName, MachineName, SshAlias, UserName};
pub use owners::Owners;
pub use port_list::PortList;
pub use quotas::{Quota, Quotas, RepositoryQuota};
pub use token_source::{MASK, TokenSource};
pub use token_text::{FoundToken, Wrapping, find as find_token};
pub use traefik_version::TraefikVersion;

/// What was given is not a value of its kind: the problem names the value (unless it is a secret),
/// and what would be valid stands apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct InvalidValue {
    problem: String,
    valid: &'static str,
}

impl InvalidValue {
    /// A problem, and what would be valid instead.
    pub(crate) fn new(problem: impl Into<String>, valid: &'static str) -> Self {
        Self {
            problem: problem.into(),
            valid,
        }
    }

    /// What would be valid: `an address of the machine, as 203.0.113.50`.
    pub fn valid(&self) -> &'static str {
        self.valid
    }
}

/// What every value that is at heart a text needs, so that each file holds only its rules.
macro_rules! text_value {
    ($type:ident) => {
        impl $type {
            /// The value in its one canonical spelling.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = crate::context::value::InvalidValue;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.0
            }
        }
    };
}
use text_value;

#[cfg(test)]
mod check {
    use std::fmt::{Debug, Display};
    use std::str::FromStr;

    use super::InvalidValue;

    /// Each left side parses and is then shown as the right side.
    pub(super) fn parses<T>(cases: &[(&str, &str)])
    where
        T: FromStr<Err = InvalidValue> + Display + Debug,
    {
        for (given, shown) in cases {
            let value: T = given.parse().unwrap_or_else(|e| panic!("{given:?}: {e}"));
            assert_eq!(value.to_string(), *shown, "{given:?}");
        }
    }

    /// Each left side is refused with a problem that holds the right side, and a hint.
    pub(super) fn refuses<T>(cases: &[(&str, &str)])
    where
        T: FromStr<Err = InvalidValue> + Debug,
    {
        for (given, problem) in cases {
            let error = given.parse::<T>().expect_err(given);
            assert!(error.to_string().contains(problem), "{given:?}: {error}");
            assert!(!error.valid().is_empty(), "{given:?}");
        }
    }
}
