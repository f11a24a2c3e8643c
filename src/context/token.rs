//! Resolves a token's reference, at the push.
//!
//! Errors name the reference, never the content.

use std::io;
use std::process::{Command, Stdio};

use secrecy::{ExposeSecret as _, SecretString};

use super::value::{InvalidValue, TokenSource};

/// A token is some 40 characters: what is longer is another file than was meant.
const MAX_BYTES: usize = 4096;

impl TokenSource {
    /// The token itself: read from the file, taken from the environment, or asked of the command.
    pub fn resolve(&self) -> Result<SecretString, TokenError> {
        let fail = |problem| TokenError {
            reference: self.to_string(),
            problem,
        };
        let content = match self {
            Self::Literal(token) => return Ok(token.clone()),
            Self::File(path) => {
                let content = std::fs::read(path).map_err(|e| fail(Problem::Io(e)))?;
                utf8(content).map_err(fail)?
            }
            Self::Env(name) => match std::env::var(name) {
                Ok(content) => content.into(),
                Err(std::env::VarError::NotPresent) => return Err(fail(Problem::NotSet)),
                Err(std::env::VarError::NotUnicode(_)) => return Err(fail(Problem::NotUtf8)),
            },
            Self::Command(command) => output_of(command).map_err(fail)?,
        };
        match Self::literal(content.expose_secret()) {
            Ok(Self::Literal(token)) => Ok(token),
            Ok(_) => Err(fail(Problem::NotUtf8)),
            Err(invalid) => Err(fail(Problem::Invalid(invalid))),
        }
    }
}

/// A reference that could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("cannot get the Cloudflare token from `{reference}`")]
pub struct TokenError {
    reference: String,
    #[source]
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the variable is not set")]
    NotSet,
    #[error("the content is not text")]
    NotUtf8,
    #[error("the content is longer than any token")]
    TooLong,
    #[error("the command failed, {0}")]
    Failed(std::process::ExitStatus),
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
}

/// What a command prints. Its standard input and error stay the operator's: it may ask for a
/// passphrase.
fn output_of(command: &str) -> Result<SecretString, Problem> {
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()?;
    if output.status.success() {
        utf8(output.stdout)
    } else {
        Err(Problem::Failed(output.status))
    }
}

fn utf8(content: Vec<u8>) -> Result<SecretString, Problem> {
    if content.len() > MAX_BYTES {
        return Err(Problem::TooLong);
    }
    // The error of `from_utf8` would carry the bytes, so it is dropped.
    let text = String::from_utf8(content).map_err(|_| Problem::NotUtf8)?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(reference: &str) -> Result<String, String> {
        let source: TokenSource = reference.parse().expect("a reference");
        match source.resolve() {
            Ok(token) => Ok(token.expose_secret().to_owned()),
            Err(error) => Err(format!("{error}: {}", error.problem)),
        }
    }

    #[test]
    fn each_reference_is_resolved_and_trimmed() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), " s3cret\n").expect("it is written");
        let path = file.path().display();
        assert_eq!(resolved("s3cret"), Ok("s3cret".to_owned()));
        assert_eq!(resolved(&format!("file:{path}")), Ok("s3cret".to_owned()));
        assert_eq!(resolved("cmd:echo s3''cret"), Ok("s3cret".to_owned()));
        assert!(resolved("env:PATH").is_ok());
    }

    #[test]
    fn an_error_names_the_reference_and_not_the_content() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "s3 cret\n").expect("it is written");
        let path = file.path().display();
        for reference in [
            &format!("file:{path}"),
            "file:/nonexistent/token",
            "env:REDIACC_NO_SUCH_VARIABLE",
            "cmd:exit 3",
            "cmd:true",
            "cmd:printf 's3\\377cret'",
            "cmd:head -c 5000 /dev/zero",
        ] {
            let error = resolved(reference).expect_err(reference);
            assert!(error.contains(reference), "{error}");
            assert!(!error.replace(reference, "").contains("s3"), "{error}");
        }
    }
}
