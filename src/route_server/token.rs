//! Who may poll: whoever presents the token that Traefik's own configuration holds. Only the machine
//! and Traefik can read the file, while the port is everybody's who is on the machine's network.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info};

/// No token is longer. The file may be anything.
const LONGEST_FILE: u64 = 4096;
/// How often the file is read anew at most: whoever guesses waits for it.
const REREAD: Duration = Duration::from_secs(1);

/// The door to the routes.
#[derive(Debug)]
pub enum Door {
    /// No token is asked for: a machine on which nobody set one up.
    Open,
    /// The token in this file is asked for.
    Token(TokenFile),
}

/// A file with the token, and what was last read of it.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    /// Without a token nobody gets in.
    known: watch::Sender<Result<Token, Unusable>>,
    /// When it was last read: held while it is read.
    read: Mutex<Instant>,
}

/// Why a request may not have the routes.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No token, or another one.
    Token,
    /// Nobody may: the token to compare with is not known.
    Closed(String),
}

/// How the door stands, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Whoever asks gets the routes.
    Open,
    /// Whoever has the token.
    Token,
    /// Nobody, because of this.
    Closed(String),
}

impl Door {
    /// The door whose token is in a file; open without a file. A file that is of no use closes it.
    pub fn of(path: Option<&Path>) -> Self {
        let Some(path) = path else {
            return Self::Open;
        };
        let known = read(path);
        if let Err(unusable) = &known {
            complain(path, unusable);
        }
        Self::Token(TokenFile {
            path: path.to_owned(),
            known: watch::Sender::new(known),
            read: Mutex::new(Instant::now()),
        })
    }

    /// Whether a request with these headers may have the routes.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match self {
            Self::Open => Ok(()),
            Self::Token(file) => file.admit(headers).await,
        }
    }

    /// How it stands.
    pub(super) fn standing(&self) -> Standing {
        match self {
            Self::Open => Standing::Open,
            Self::Token(file) => match &*file.known.borrow() {
                Ok(_) => Standing::Token,
                Err(unusable) => Standing::Closed(unusable.at(&file.path)),
            },
        }
    }
}

impl TokenFile {
    async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(presented) = bearer(headers) else {
            return Err(self.refusal());
        };
        let presented = Token::of(presented);
        if self.is(&presented) {
            return Ok(());
        }
        // The file may hold another one by now.
        self.read_again(Instant::now()).await;
        if self.is(&presented) {
            return Ok(());
        }
        Err(self.refusal())
    }

    fn is(&self, presented: &Token) -> bool {
        matches!(&*self.known.borrow(), Ok(token) if token.is(presented))
    }

    fn refusal(&self) -> Refusal {
        match &*self.known.borrow() {
            Ok(_) => Refusal::Token,
            Err(unusable) => Refusal::Closed(unusable.at(&self.path)),
        }
    }

    /// Reads the file once for all who asked meanwhile, and not too often.
    async fn read_again(&self, asked: Instant) {
        let mut last = self.read.lock().await;
        if *last > asked {
            return;
        }
        sleep_until(*last + REREAD).await;
        let path = self.path.clone();
        *last = Instant::now();
        let read = spawn_blocking(move || read(&path)).await;
        let known = read.unwrap_or_else(|error| Err(Unusable(error.to_string())));
        self.known.send_if_modified(|before| {
            let is_news = *before != known;
            match &known {
                Ok(_) if is_news => info!("the token in {:?} is another one", self.path),
                Err(unusable) if is_news => complain(&self.path, unusable),
                _ => {}
            }
            *before = known;
            is_news
        });
    }
}

/// The digest of a token. Comparing digests takes as long for one that is nearly right as for any.
#[derive(PartialEq, Eq)]
struct Token([u8; 32]);

impl Token {
    fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    fn is(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        pairs.fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
struct Unusable(String);

impl Unusable {
    fn at(&self, path: &Path) -> String {
        format!("the token file {path:?} {}", self.0)
    }
}

fn complain(path: &Path, unusable: &Unusable) {
    error!(
        "{}: /routes.yaml is closed, and Traefik gets no routes",
        unusable.at(path)
    );
}

fn read(path: &Path) -> Result<Token, Unusable> {
    let mut text = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut text))
        .map_err(|error| Unusable(format!("cannot be read: {error}")))?;
    let token = text.trim_ascii();
    if token.is_empty() {
        return Err(Unusable("is empty".to_owned()));
    }
    // A header could not hold anything else.
    if text.len() as u64 > LONGEST_FILE || !token.iter().all(u8::is_ascii_graphic) {
        return Err(Unusable("holds more than one word of ASCII".to_owned()));
    }
    Ok(Token::of(token))
}

/// The token that a request presents. Several are none.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else {
        return None;
    };
    let (scheme, token) = only.as_bytes().split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_word_in_the_file_is_a_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        for (text, is_token) in [
            (&b"secret"[..], true),
            (b"secret\n", true),
            (b" \t secret \r\n", true),
            (b"", false),
            (b"\n", false),
            (b"two words", false),
            (b"two\nlines", false),
            (b"secr\xc3\xa9t", false),
            (b"nul\0", false),
            (&[b'a'; 5000], false),
        ] {
            std::fs::write(&path, text).expect("a writable file");
            let token = read(&path);
            assert_eq!(token.is_ok(), is_token, "{text:?}");
            if let Ok(token) = token {
                assert!(token.is(&Token::of(b"secret")));
            }
        }
        assert!(read(folder.path()).is_err(), "a folder");
        assert!(read(&folder.path().join("none")).is_err(), "nothing");
    }

    #[test]
    fn one_header_of_the_scheme_bearer_presents_a_token() {
        for (values, presented) in [
            (&["Bearer x"][..], Some(&b"x"[..])),
            (&["bearer x"], Some(b"x")),
            (&["Bearer  x "], Some(b"x")),
            (&["Bearer x", "Bearer y"], None),
            (&["Basic x"], None),
            (&["Bearer"], None),
            (&["Bearerx"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().expect("a value"));
            }
            assert_eq!(bearer(&headers), presented, "{values:?}");
        }
    }

    #[test]
    fn a_token_is_told_from_nearly_the_same_and_is_not_shown() {
        let token = Token::of(b"secret");
        for other in ["secre", "secrets", "Secret", ""] {
            assert!(!token.is(&Token::of(other.as_bytes())), "{other}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
