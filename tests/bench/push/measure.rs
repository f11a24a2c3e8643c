//! The measurements: each tool by turns on its own machine, and a look after each run whether it
//! did what it was to do.

use std::io;
use std::time::Duration;

use crate::figures::{Samples, paired_ratio};
use crate::process;
use crate::subject::{Seen, Subject};
use crate::tools::{Tool, Workstation, install_python};

/// Ours comes first.
const TOOLS: [Tool; 4] = [
    Tool::Rdc,
    Tool::TunedAnsible,
    Tool::PlainAnsible,
    Tool::Pyinfra,
];

/// Three machines that are as they have to be, each kept so by a tool of its own.
pub(crate) struct Bench {
    workstation: Workstation,
    subjects: Vec<(&'static str, Subject)>,
}

/// How long the same thing took, time after time.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

/// What a run takes besides time.
pub(crate) struct Footprint {
    pub(crate) connections_of_a_no_op: usize,
    pub(crate) connections_of_a_change: usize,
    pub(crate) peak_mib: f64,
}

/// What a run finds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Everything is in place.
    NoOp,
    /// There is one port more, or one less.
    Change,
}

impl Bench {
    /// Installs the tools, boots the machines, and has each tool bring its own to where it shall be.
    pub(crate) fn new() -> io::Result<Self> {
        let workstation = Workstation::new()?;
        let mut subjects = Vec::new();
        for name in ["rdc", "ansible", "pyinfra"] {
            let subject = Subject::boot(&format!("push-{name}-"));
            workstation.declare(name, &subject)?;
            subjects.push((name, subject));
        }
        let bench = Self {
            workstation,
            subjects,
        };
        bench.workstation.first_push(bench.subject(Tool::Rdc));
        install_python(bench.subject(Tool::PlainAnsible));
        for tool in [Tool::PlainAnsible, Tool::Pyinfra] {
            let subject = bench.subject(tool);
            subject.bring_programs()?;
            process::time(&mut bench.workstation.run(tool, subject.ports))?;
        }
        Ok(bench)
    }

    /// No-op pushes, each beside a login that does nothing.
    pub(crate) fn beside_ssh(&mut self, pairs: usize) -> io::Result<(Times, Times)> {
        let (mut ours, mut bare) = (Times::default(), Times::default());
        // The first pair finds nothing in the page cache, and does not count.
        for pair in 0..=pairs {
            // Whoever comes second may find something warm that the first one did not.
            let (our_time, bare_time) = if pair % 2 == 0 {
                let bare_time = self.bare_login()?;
                (self.run(Tool::Rdc, Work::NoOp)?.0, bare_time)
            } else {
                (self.run(Tool::Rdc, Work::NoOp)?.0, self.bare_login()?)
            };
            if pair > 0 {
                ours.0.push(our_time);
                bare.0.push(bare_time);
            }
        }
        Ok((ours, bare))
    }

    /// Runs of all tools that find everything in place, by turns.
    pub(crate) fn no_ops(&mut self, rounds: usize) -> io::Result<Vec<(Tool, Times)>> {
        self.by_turns(Work::NoOp, rounds)
    }

    /// Runs of all tools that find another list of ports, by turns.
    pub(crate) fn changes(&mut self, rounds: usize) -> io::Result<Vec<(Tool, Times)>> {
        self.by_turns(Work::Change, rounds)
    }

    /// Connections and memory of each tool. They are the same each time.
    pub(crate) fn footprints(&mut self) -> io::Result<Vec<(Tool, Footprint)>> {
        let footprint = |tool| {
            let (_, connections_of_a_no_op) = self.run(tool, Work::NoOp)?;
            let (_, connections_of_a_change) = self.run(tool, Work::Change)?;
            let ports = self.subject(tool).ports;
            let peak_mib = process::peak_memory(&mut self.workstation.run(tool, ports))?;
            self.workstation.close_connections()?;
            let footprint = Footprint {
                connections_of_a_no_op,
                connections_of_a_change,
                peak_mib,
            };
            Ok((tool, footprint))
        };
        TOOLS.into_iter().map(footprint).collect()
    }

    fn by_turns(&mut self, work: Work, rounds: usize) -> io::Result<Vec<(Tool, Times)>> {
        let mut times = TOOLS.map(|tool| (tool, Times::default()));
        // The first round does not count here either.
        for round in 0..=rounds {
            for (tool, times) in &mut times {
                let (took, _) = self.run(*tool, work)?;
                if round > 0 {
                    times.0.push(took);
                }
            }
        }
        Ok(times.into())
    }

    fn bare_login(&self) -> io::Result<Duration> {
        let mut ssh = self.workstation.ssh(self.subject(Tool::Rdc));
        process::time(&mut ssh)
    }

    /// How long a run took, and how often it logged in.
    fn run(&mut self, tool: Tool, work: Work) -> io::Result<(Duration, usize)> {
        let subject = self.subject(tool);
        let ports = match work {
            Work::NoOp => subject.ports,
            Work::Change => subject.ports.other(),
        };
        let before = subject.look();
        if tool == Tool::Rdc && work == Work::Change {
            self.workstation.set_ports(tool.machine(), ports);
        }
        let took = process::time(&mut self.workstation.run(tool, ports))?;
        self.workstation.close_connections()?;

        self.subject_mut(tool).ports = ports;
        let subject = self.subject(tool);
        let after = subject.look();
        work.was_done(tool, &before, &after)?;
        subject.await_ports()?;
        Ok((took, after.logins_since(&before)))
    }

    fn subject(&self, tool: Tool) -> &Subject {
        let mut subjects = self.subjects.iter();
        let found = subjects.find(|(name, _)| *name == tool.machine());
        &found.expect("each tool has a machine").1
    }

    fn subject_mut(&mut self, tool: Tool) -> &mut Subject {
        let mut subjects = self.subjects.iter_mut();
        let found = subjects.find(|(name, _)| *name == tool.machine());
        &mut found.expect("each tool has a machine").1
    }
}

impl Work {
    /// A time says nothing of a tool that changed what was in place, or did not what was not.
    fn was_done(self, tool: Tool, before: &Seen, after: &Seen) -> io::Result<()> {
        let trouble = match (self, after.restarted_since(before)) {
            (Self::NoOp, true) => "restarted a unit although everything was in place",
            (Self::Change, false) => "restarted nothing although a port was to change",
            _ => return Ok(()),
        };
        Err(io::Error::other(format!("{} {trouble}", tool.name())))
    }
}

impl Times {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The median in milliseconds, and from where to where.
    pub(crate) fn spread(&self) -> String {
        Samples::of_durations(&self.0).spread()
    }

    /// How many times longer this took than something else that was measured beside it.
    pub(crate) fn over(&self, other: &Self) -> f64 {
        paired_ratio(&self.0, &other.0)
    }
}
