//! The matchers of Traefik 3: which there are, what they take, and when Traefik disables a router
//! for one of them.

use std::net::IpAddr;

use super::token::Fault;
use crate::traefik::regexp;

/// Whose routers a rule belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP's.
    Http,
    /// TCP's.
    Tcp,
}

/// A matcher, by what it takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matcher {
    pub(super) name: &'static str,
    http: bool,
    tcp: bool,
    /// How many arguments it takes, at least and at most.
    arity: (usize, usize),
    takes: Takes,
}

/// What the last argument of a matcher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Anything,
    Host,
    ServerName,
    Path,
    Network,
    Alpn,
    Pattern,
    /// A pattern for names, which are ASCII.
    NamePattern,
}

/// What the matchers are called.
const MATCHERS: [Matcher; 14] = [
    tcp("ALPN", Takes::Alpn),
    Matcher {
        tcp: true,
        ..http("ClientIP", (1, 1), Takes::Network)
    },
    http("Header", (2, 2), Takes::Anything),
    http("HeaderRegexp", (2, 2), Takes::Pattern),
    http("Host", (1, 1), Takes::Host),
    http("HostRegexp", (1, 1), Takes::NamePattern),
    tcp("HostSNI", Takes::ServerName),
    tcp("HostSNIRegexp", Takes::NamePattern),
    http("Method", (1, 1), Takes::Anything),
    http("Path", (1, 1), Takes::Path),
    http("PathPrefix", (1, 1), Takes::Path),
    http("PathRegexp", (1, 1), Takes::Pattern),
    http("Query", (1, 2), Takes::Anything),
    http("QueryRegexp", (1, 2), Takes::Pattern),
];

/// What Traefik 2 had, and what does the same in Traefik 3.
const GONE: [(&str, &str); 3] = [
    ("Headers", "Header(`X-Name`, `value`)"),
    ("HeadersRegexp", "HeaderRegexp(`X-Name`, `^value$`)"),
    ("HostHeader", "Host(`app.example.com`)"),
];

const fn http(name: &'static str, arity: (usize, usize), takes: Takes) -> Matcher {
    Matcher {
        name,
        http: true,
        tcp: false,
        arity,
        takes,
    }
}

const fn tcp(name: &'static str, takes: Takes) -> Matcher {
    Matcher {
        name,
        http: false,
        tcp: true,
        arity: (1, 1),
        takes,
    }
}

/// The matcher of a name, in the four spellings that Traefik knows: its own, lower case, upper
/// case, and with one capital.
pub(super) fn called(word: &str) -> Result<&'static Matcher, Fault> {
    let is_called = |name: &str| {
        let lower = name.to_ascii_lowercase();
        let capital = name[..1].to_owned() + &lower[1..];
        [name, &lower, &name.to_ascii_uppercase(), &capital].contains(&word)
    };
    if let Some(matcher) = MATCHERS.iter().find(|matcher| is_called(matcher.name)) {
        return Ok(matcher);
    }
    let gone = GONE.iter().find(|(name, _)| is_called(name));
    Err(match gone {
        Some((_, instead)) => Fault::at(0, format!("`{word}` is a matcher of Traefik 2"))
            .hint(format!("write {instead}")),
        None => Fault::at(0, format!("there is no matcher `{word}`")),
    })
}

/// A matcher with its arguments, where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// The byte at which it begins.
    pub(super) at: usize,
    pub(super) matcher: &'static Matcher,
    pub(super) arguments: Vec<String>,
    /// Whether an odd number of `!` stands before it.
    pub(super) negated: bool,
}

impl Matcher {
    /// Whether its argument is the name of a host, or a pattern of names.
    pub(super) fn names_a_host(&self) -> bool {
        matches!(self.takes, Takes::Host | Takes::ServerName)
    }

    /// Which argument is a regular expression. `QueryRegexp` with a key alone has none.
    pub(super) fn pattern<'a>(&self, arguments: &'a [String]) -> Option<&'a str> {
        let last = arguments.last().map(String::as_str);
        match self.takes {
            Takes::NamePattern => last,
            Takes::Pattern if self.name == "QueryRegexp" && arguments.len() < 2 => None,
            Takes::Pattern => last,
            _ => None,
        }
    }
}

impl Call {
    /// Whether Traefik takes it in a router of this protocol.
    pub(super) fn check(&self, protocol: Protocol) -> Result<(), Fault> {
        let Self {
            at,
            matcher,
            arguments,
            negated: _,
        } = self;
        let name = matcher.name;
        let fault = |reason: String| Fault::at(*at, reason);
        match protocol {
            Protocol::Http if !matcher.http => {
                return Err(fault(format!("`{name}` is a matcher of TCP")).hint(
                    "an HTTP router matches by Host, Path, Method, Header, Query or ClientIP",
                ));
            }
            Protocol::Tcp if !matcher.tcp => {
                return Err(fault(format!("`{name}` is a matcher of HTTP"))
                    .hint("a TCP router matches by HostSNI, HostSNIRegexp, ALPN or ClientIP"));
            }
            _ => {}
        }
        let (least, most) = matcher.arity;
        let count = arguments.len();
        if !(least..=most).contains(&count) {
            let takes = match (least, most) {
                (1, 1) => "one argument".to_owned(),
                (least, most) if least == most => format!("{most} arguments"),
                (least, most) => format!("{least} or {most} arguments"),
            };
            let fault = fault(format!("`{name}` takes {takes}, and has {count}"));
            return Err(match arguments.first() {
                Some(first) if most == 1 => fault.hint(format!(
                    "write one matcher for each, as in {name}(`{first}`) || {name}(`…`)"
                )),
                _ => fault,
            });
        }
        let Some(last) = arguments.last() else {
            return Ok(());
        };
        match matcher.takes {
            Takes::Anything | Takes::Host => Ok(()),
            Takes::Path if last.starts_with('/') => Ok(()),
            Takes::Path => Err(fault(format!("{last:?} does not begin with `/`"))
                .hint(format!("write {name}(`/{last}`)"))),
            Takes::ServerName if is_server_name(last) => Ok(()),
            Takes::ServerName => Err(fault(format!("{last:?} is not a host name"))),
            Takes::Network if is_network(last) => Ok(()),
            Takes::Network => Err(fault(format!(
                "{last:?} is neither an IP address nor a network"
            ))
            .hint("write an address, or a network as in 10.0.0.0/8")),
            Takes::Alpn if last == ACME_PROTOCOL => Err(fault(format!(
                "`{ACME_PROTOCOL}` is how certificates are obtained, by Traefik"
            ))),
            Takes::Alpn => Ok(()),
            Takes::NamePattern if !last.is_ascii() => Err(fault(format!(
                "{last:?} is not ASCII, as the names of hosts are"
            ))
            .hint("write the name in punycode, xn--…")),
            Takes::NamePattern | Takes::Pattern => match matcher.pattern(arguments) {
                Some(pattern) => regexp::check(pattern).map_err(|error| {
                    fault(format!(
                        "{pattern:?} is not a regular expression of Go: {error}"
                    ))
                }),
                None => Ok(()),
            },
        }
    }
}

/// The protocol by which a CA proves a name over TLS.
const ACME_PROTOCOL: &str = "acme-tls/1";

/// Without TLS nobody says a name: the first that a rule asks for has to be any.
pub(super) fn without_tls(calls: &[Call]) -> Result<(), Fault> {
    let named = calls
        .iter()
        .find(|call| call.matcher.name == "HostSNI" && !call.negated);
    match named {
        Some(call) if call.arguments.first().is_none_or(|name| name != "*") => Err(Fault::at(
            call.at,
            "a name is known of TLS connections only, and the router has no TLS",
        )
        .hint("write HostSNI(`*`), or set tls=true or tls.passthrough=true on the router")),
        _ => Ok(()),
    }
}

/// What Traefik takes for a name; `*` for one part only, and first.
fn is_server_name(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-:".contains(&byte);
    text == "*" || !name.is_empty() && name.bytes().all(is_plain)
}

/// An address or a network as Go reads them: nothing with a zone, no bits that there are not.
fn is_network(text: &str) -> bool {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| {
        !bits.is_empty()
            && bits.bytes().all(|byte| byte.is_ascii_digit())
            && bits.parse::<u32>().is_ok_and(|bits| bits <= most)
    })
}
