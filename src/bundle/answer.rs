//! What a machine answers: steps while it works, and at last a report, a failure, or what it lacks.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Bind, GrantChange, Hello, RepositoryAnswer, RunLine, Status, Step};

/// One line of the machine's answer. `Hello` is the first one, and `Done`, `Status`, `Repository`,
/// `Failed` and, unless it is a dry run, `Lacking` the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Who answers.
    Hello(Hello),
    /// What is being done now.
    Doing(Step),
    /// It is through.
    Done(Report),
    /// How the machine is doing, which was the question.
    Status(Box<Status>),
    /// A line that the run of a repository printed.
    Line(RunLine),
    /// What was asked of repositories.
    Repository(Box<RepositoryAnswer>),
    /// It is not through.
    Failed(Failure),
    /// Nothing was done yet: the workstation has to bring something first. A dry run goes on as if
    /// it were there.
    Lacking(Lacking),
}

/// What the workstation has to bring before a push can begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// The version of Traefik that is not on the machine.
    pub traefik: String,
}

/// What was done or, of a dry run, would be done.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// The generation that is live afterwards; none where nothing was ever pushed.
    pub generation: Option<u32>,
    /// What was done, in order. Empty: everything was as it should be.
    pub steps: Vec<Step>,
    /// The entry points that open.
    pub opens: Vec<Bind>,
    /// The entry points that close.
    pub closes: Vec<Bind>,
    /// What the live generation has and the new one has not, of what people depend on.
    #[serde(default)]
    pub drops: Vec<Dropped>,
    /// What repositories are granted from now on, and what not any more.
    #[serde(default)]
    pub grants: Vec<GrantChange>,
    /// The files that somebody edited on the machine, and that are overwritten.
    pub drift: Vec<PathBuf>,
    /// How the files change, where that was asked for. No secret is in them.
    pub diffs: Vec<Diff>,
    /// What stays on the machine although everything else is removed.
    pub kept: Vec<PathBuf>,
    /// What the operator should know although it worked.
    pub warnings: Vec<String>,
    /// Names this very plan, so that a push can be held to what was shown. Empty without steps.
    pub digest: String,
}

/// Something that people depend on, and that a plan takes away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "what", content = "value", rename_all = "snake_case")]
pub enum Dropped {
    /// The domain of the auto routes.
    Domain(String),
    /// The account that certificates are obtained with.
    CertificateAccount(String),
    /// The token that proves names by DNS, without which there is no certificate of all names.
    CloudflareToken,
    /// An address that Traefik listens on.
    Address(IpAddr),
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => write!(f, "the domain {domain}"),
            Self::CertificateAccount(account) => write!(f, "the certificate account {account}"),
            Self::CloudflareToken => f.write_str("the Cloudflare token"),
            Self::Address(address) => write!(f, "the address {address}"),
        }
    }
}

/// How one file changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// The file's name in the generation.
    pub file: String,
    /// The change in the unified format; of a secret only that it changes.
    pub unified: String,
}

/// Why it is not through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// How it ended.
    pub kind: FailureKind,
    /// What went wrong, naming the thing; several problems are a line each.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The last lines of the journal of the unit at fault.
    pub journal: Vec<String>,
}

/// How it ended that is not through; each has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Something failed on the way.
    Failed,
    /// Somebody else's push is under way.
    Locked,
    /// Nothing was changed, because it could not have worked.
    Refused,
    /// It did not come up, and the former generation runs again.
    RolledBack,
}

impl FailureKind {
    /// The exit code, the same for `rdc` and `renet`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Locked => 5,
            Self::Refused => 6,
            Self::RolledBack => 7,
        }
    }
}
