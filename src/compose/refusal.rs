//! The error of `renet compose`, with its hint.

use std::fmt;

use crate::causes::with_causes;
use crate::repository::{FileError, SlotsError};

/// An error with its hint.
#[derive(Debug)]
pub struct Refusal {
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Refusal {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// Both, in the form of all errors on standard error.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        Self {
            message: with_causes(&error),
            hint: error.hint(),
        }
    }
}

impl From<SlotsError> for Refusal {
    fn from(error: SlotsError) -> Self {
        Self {
            message: with_causes(&error),
            hint: error.hint(),
        }
    }
}
