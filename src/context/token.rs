//! Resolves a token's reference, at the push.
//!
//! Errors name the reference, never the content.

use std::fs::File;
use std::io::{self, Read};
use std::process::{Command, Stdio};

use secrecy::{ExposeSecret as _, SecretString};

use super::place::Place;
use super::value::{FoundToken, InvalidValue, TokenSource, find_token};

/// A token is some 40 characters, and a file of settings some lines: what is longer is another file
/// than was meant.
const MAX_BYTES: u64 = 4096;

impl TokenSource {
    /// The token itself: read from the file, taken from the environment, or asked of the command.
    pub fn resolve(&self) -> Result<FoundToken, TokenError> {
        if let Self::File(path) = self {
            let place = Place::of(path).map_err(|error| self.failed(error))?;
            if place == Place::Fleeting {
                return Err(self.failed(Problem::Fleeting));
            }
        }
        self.resolve_now()
    }

    /// The same also where it cannot be had a second time.
    pub fn resolve_now(&self) -> Result<FoundToken, TokenError> {
        let content = match self {
            Self::Literal(token) => Ok(token.clone()),
            Self::File(path) => File::open(path).map_err(Problem::Io).and_then(text_of),
            Self::Env(name) => match std::env::var(name) {
                Ok(content) => Ok(content.into()),
                Err(std::env::VarError::NotPresent) => Err(Problem::NotSet),
                Err(std::env::VarError::NotUnicode(_)) => Err(Problem::NotUtf8),
            },
            Self::Command(command) => output_of(command),
        };
        found(content).map_err(|problem| self.failed(problem))
    }

    fn failed(&self, problem: impl Into<Problem>) -> TokenError {
        TokenError {
            reference: self.to_string(),
            problem: problem.into(),
        }
    }
}

/// The token that comes from standard input.
pub fn of_standard_input() -> Result<FoundToken, TokenError> {
    found(text_of(io::stdin().lock())).map_err(|problem| TokenError {
        reference: "standard input".to_owned(),
        problem,
    })
}

fn found(content: Result<SecretString, Problem>) -> Result<FoundToken, Problem> {
    Ok(find_token(content?.expose_secret())?)
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
    #[error("it is no file that can be read again: a pipe, a device, or a path of another process")]
    Fleeting,
    #[error("the content is longer than any token")]
    TooLong,
    #[error("the command failed, {0}")]
    Failed(std::process::ExitStatus),
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
}

/// What there is to read, which may have no end.
fn text_of(input: impl Read) -> Result<SecretString, Problem> {
    let mut content = Vec::new();
    input.take(MAX_BYTES + 1).read_to_end(&mut content)?;
    utf8(content)
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
    if content.len() as u64 > MAX_BYTES {
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
            Ok(found) => Ok(found.token.expose_secret().to_owned()),
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
        assert_eq!(resolved("env:CARGO_PKG_NAME"), Ok("rediacc".to_owned()));
        assert_eq!(
            resolved("cmd:echo export CF_API_TOKEN=\\'s3cret\\'"),
            Ok("s3cret".to_owned())
        );
        assert_eq!(
            resolved("CF_DNS_API_TOKEN=\"s3cret\""),
            Ok("s3cret".to_owned())
        );
        std::fs::write(file.path(), "# mine\nCF_DNS_API_TOKEN=s3cret\n").expect("it is written");
        assert_eq!(resolved(&format!("file:{path}")), Ok("s3cret".to_owned()));
    }

    #[test]
    fn an_error_names_the_reference_and_not_the_content() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "s3 cret\n").expect("it is written");
        let path = file.path().display();
        for reference in [
            &format!("file:{path}"),
            "file:/nonexistent/token",
            "file:/dev/stdin",
            "file:/dev/zero",
            "file:/proc/self/cmdline",
            "env:REDIACC_NO_SUCH_VARIABLE",
            "env:PATH",
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
