//! What one value may be at most: the table of bounds, with the reason for each. A field of the
//! model names its own (`object!`), so that there is none without.
//!
//! Inside its bound, a value costs its repository alone. The reasons are what was seen on a real
//! Traefik beyond it. [`Allowance`](super::Allowance) multiplies what is a size or a count, and lifts bounds for a
//! repository that the operator trusts; what Traefik cannot take at all is refused in any case.

use super::bound::{Empty, Number, Span, Text};
use super::text;

/// The most elements of a list, and entries of a map.
pub const MOST_ELEMENTS: usize = 256;

/// The longest key and value of one label together, in bytes.
pub const LONGEST_LABEL: usize = 64 << 10;

/// The most bytes of all of Traefik's labels of one container.
pub const MOST_LABEL_BYTES: usize = 256 << 10;

const SIZE: Number = Number {
    least: 1,
    most: 64 << 20,
    or_zero: false,
    scales: true,
    for_everybody: false,
    reason: "Traefik keeps as much of one request in memory",
};
const COUNT: Number = Number {
    least: 0,
    most: 1_000_000,
    or_zero: false,
    scales: true,
    for_everybody: false,
    reason: "more is no limit any more",
};

/// A body that Traefik reads whole. 0 refuses every body that has a byte, and a negative number is
/// no limit: with 2^40, one request ran Traefik out of memory, and every port was closed.
pub const BODY: Number = SIZE;
/// A body, of which 0 is Traefik's own default or none.
pub const BODY_OR_ZERO: Number = Number {
    or_zero: true,
    ..SIZE
};
/// A body that Traefik writes to a file beyond what it keeps in memory; the product's page shows
/// 512 MiB. 0 is what Traefik takes an unset one for.
pub const SPOOLED_BODY: Number = Number {
    most: 512 << 20,
    or_zero: true,
    reason: "Traefik writes as much of one request to the machine's disk",
    ..SIZE
};
/// Requests in a period, and how many at once. 0 is no limit.
pub const RATE: Number = COUNT;
/// Requests or connections at once. 0 lets none through.
pub const AMOUNT: Number = COUNT;
/// A server's share. Traefik adds its reciprocals up, which loses small ones beside huge ones.
pub const WEIGHT: Number = Number {
    scales: false,
    reason: "Traefik weighs no finer",
    ..COUNT
};
/// How often one request is tried. Traefik refuses 0 and less.
pub const ATTEMPTS: Number = Number {
    least: 1,
    most: 100,
    reason: "one request may not become more",
    ..COUNT
};
/// Failures that are remembered of each server, each with its time.
pub const FAILURES: Number = Number {
    least: 1,
    most: 10_000,
    reason: "Traefik remembers as many of each server",
    ..COUNT
};
/// Connections to Redis. Traefik makes room for them at once, when it takes the configuration: a
/// negative number ends the part of it that takes configurations at all, for every repository and
/// until it is started again.
pub const CONNECTIONS: Number = Number {
    most: 1_000,
    for_everybody: true,
    reason: "Traefik makes room for as many at once",
    ..COUNT
};
/// Connections to Redis that are opened at once and kept.
pub const IDLE_CONNECTIONS: Number = Number {
    most: 64,
    for_everybody: true,
    reason: "Traefik opens as many at each change",
    ..COUNT
};
/// A database of Redis.
pub const DATABASE: Number = Number {
    most: 65_535,
    scales: false,
    reason: "Redis has no more",
    ..COUNT
};
/// A router's priority: it decides among its owner's names only. Above are Traefik's own routers.
pub const PRIORITY: Number = Number {
    least: i64::MIN,
    most: i64::MAX - 1_000,
    scales: false,
    for_everybody: true,
    reason: "those above are Traefik's own",
    ..COUNT
};
/// The status of a final answer. Traefik panics when it writes one that has not three digits, and
/// one below 200 leaves the request without its answer.
pub const STATUS: Number = Number {
    least: 200,
    most: 599,
    scales: false,
    reason: "it is the status of an answer",
    ..COUNT
};
/// The same, where 0 is Traefik's default.
pub const STATUS_OR_ZERO: Number = Number {
    or_zero: true,
    ..STATUS
};
/// The status of a rejection: 511 is the last that there is. Those between that nobody defined
/// Traefik refuses.
pub const REJECTION: Number = Number {
    most: 511,
    ..STATUS_OR_ZERO
};
/// A port.
pub const PORT: Number = Number {
    least: 1,
    most: 65_535,
    scales: false,
    reason: "it is a port",
    ..COUNT
};
/// Seconds that a browser keeps something; -1 is "not at all". Browsers cap them at a year or two.
pub const SECONDS_KEPT: Number = Number {
    least: -1,
    most: 10 * 366 * 24 * 3_600,
    scales: false,
    reason: "browsers keep nothing for longer",
    ..COUNT
};
/// How many addresses of `X-Forwarded-For` are looked back.
pub const DEPTH: Number = Number {
    most: 64,
    scales: false,
    reason: "no request passes through more proxies",
    ..COUNT
};
/// The length of an IPv6 prefix.
pub const PREFIX: Number = Number {
    least: 1,
    most: 128,
    scales: false,
    reason: "it is the length of an IPv6 prefix",
    ..COUNT
};
/// The versions of the PROXY protocol.
pub const PROXY_PROTOCOL: Number = Number {
    least: 1,
    most: 2,
    scales: false,
    reason: "the PROXY protocol has no other version",
    ..COUNT
};
/// Milliseconds that a connection half closed is kept; a negative number is for ever, and the
/// machine's file descriptors are everybody's.
pub const TERMINATION_DELAY: Number = Number {
    most: 600_000,
    scales: false,
    reason: "Traefik keeps connections half closed for as many milliseconds",
    ..COUNT
};

const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MILLISECOND;
const HOUR: i64 = 3_600 * SECOND;

const WAIT: Span = Span {
    least: MILLISECOND,
    most: HOUR,
    or_zero: true,
    or_negative: false,
    reason: "Traefik waits as long",
};

/// How often a server is asked for its health. At 1 ns, one service used up a core.
pub const INTERVAL: Span = Span {
    least: SECOND,
    most: 24 * HOUR,
    or_zero: false,
    reason: "Traefik asks at this pace, whoever else needs the processor",
    ..WAIT
};
/// How long an answer is waited for. 0 is Traefik's default, or no limit of its own.
pub const TIMEOUT: Span = WAIT;
/// How long Redis is waited for; a negative one is for ever.
pub const REDIS_TIMEOUT: Span = Span {
    most: 60 * SECOND,
    ..WAIT
};
/// The period of a rate: Traefik keeps each source's count for about as long.
pub const PERIOD: Span = Span {
    most: 31 * 24 * HOUR,
    reason: "Traefik counts in periods of that length",
    ..WAIT
};
/// How long something is remembered, or stays as it is.
pub const MEMORY: Span = Span {
    most: 24 * HOUR,
    reason: "Traefik remembers as long",
    ..WAIT
};
/// How often what a server has sent is passed on: a negative one is at once.
pub const FLUSH: Span = Span {
    or_negative: true,
    reason: "Traefik flushes a response at this pace",
    ..WAIT
};

/// Any text. Its label is bounded as a whole.
pub const TEXT: Text = Text {
    longest: LONGEST_LABEL,
    empty: Empty::Allowed,
    form: text::any,
};
/// The name of an entry, of a header, of a field of a plugin. A name beyond 1,024 characters broke
/// the document for everybody.
pub const NAME: Text = Text {
    longest: 128,
    ..TEXT
};
/// A name that refers to an entry, perhaps with its provider.
pub const REFERENCE: Text = Text {
    longest: 192,
    empty: Empty::Refused,
    ..TEXT
};
/// Names of entry points; what is no such name is found where they are looked up.
pub const ENTRYPOINT: Text = Text {
    empty: Empty::LeftOut,
    ..REFERENCE
};
/// A rule; how much of it there may be is counted where it is parsed.
pub const RULE: Text = TEXT;
/// A regular expression: Traefik tries it at every request, and compiles it at every change.
pub const REGEXP: Text = Text {
    longest: 256,
    form: text::regexp,
    ..TEXT
};
/// The condition of a circuit breaker.
pub const BREAKER: Text = Text {
    longest: 512,
    form: text::breaker,
    ..TEXT
};
/// The condition of another attempt.
pub const RETRY: Text = Text {
    longest: 512,
    form: text::retry,
    ..TEXT
};
/// Addresses and networks.
pub const NETWORKS: Text = Text {
    longest: 64,
    empty: Empty::Refused,
    form: text::network,
};
/// `name:hash`.
pub const BASIC_USERS: Text = Text {
    longest: 1_024,
    empty: Empty::Refused,
    form: text::basic_user,
};
/// `name:realm:hash`.
pub const DIGEST_USERS: Text = Text {
    longest: 1_024,
    empty: Empty::Refused,
    form: text::digest_user,
};
/// `500` or `500-599`.
pub const STATUS_RANGES: Text = Text {
    longest: 32,
    empty: Empty::Refused,
    form: text::status_range,
};
/// Names of compressions.
pub const ENCODINGS: Text = Text {
    longest: 16,
    empty: Empty::Refused,
    form: text::encoding,
};
/// Media types.
pub const MEDIA_TYPES: Text = Text {
    longest: 256,
    empty: Empty::Refused,
    form: text::media_type,
};
