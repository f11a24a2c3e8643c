//! The size and the limits that a repository is created with.

use crate::context::Machine;
use crate::context::value::{ByteSize, InvalidValue};
use crate::repository::{self, RepositoryName};

#[derive(clap::Args, Debug)]
pub(super) struct Limits {
    /// Store it in an image of this size, such as 10G, instead of a plain folder
    #[arg(long, value_name = "SIZE", value_parser = image_size)]
    size: Option<ByteSize>,
    /// Limit the memory of its daemon and services together, such as 2G
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory: Option<ByteSize>,
    /// Limit the number of their processes and threads together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(repository::Limits::LEAST_TASKS..))]
    tasks: Option<u64>,
}

impl Limits {
    /// Whether any of them is given.
    pub(super) fn is_some(&self) -> bool {
        let Self {
            size,
            memory,
            tasks,
        } = self;
        size.is_some() || memory.is_some() || tasks.is_some()
    }

    /// The options of `renet repo create`.
    pub(super) fn words(&self, name: &RepositoryName, machine: &Machine) -> Vec<String> {
        let mut words = vec![
            name.to_string(),
            "--datastore".to_owned(),
            machine.datastore.display().to_string(),
        ];
        let mut add = |option: &str, value: Option<u64>| {
            if let Some(value) = value {
                words.extend([option.to_owned(), value.to_string()]);
            }
        };
        add("--size", self.size.map(ByteSize::bytes));
        add("--memory", self.memory.map(ByteSize::bytes));
        add("--tasks", self.tasks);
        words
    }
}

fn image_size(text: &str) -> Result<ByteSize, String> {
    at_least(text, repository::Limits::LEAST_IMAGE_BYTES)
}

fn memory(text: &str) -> Result<ByteSize, String> {
    at_least(text, repository::Limits::LEAST_MEMORY_BYTES)
}

/// A size that the machine will not refuse as too small: its `renet` knows the same limits.
fn at_least(text: &str, least: u64) -> Result<ByteSize, String> {
    let size: ByteSize = text
        .parse()
        .map_err(|error: InvalidValue| format!("{error}: give {}", error.valid()))?;
    if size.bytes() < least {
        return Err(format!("it must be at least {}", ByteSize::of(least)));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_small_for_a_repository_is_refused_before_a_machine_is_asked() {
        for (text, of_image, of_memory) in [
            ("64M", true, false),
            ("128M", true, true),
            ("10G", true, true),
            ("65535K", false, false),
            ("10", false, false),
            ("1.5G", false, false),
        ] {
            assert_eq!(image_size(text).is_ok(), of_image, "{text}");
            assert_eq!(memory(text).is_ok(), of_memory, "{text}");
        }
        assert_eq!(image_size("10k"), Err("it must be at least 64M".to_owned()));
        let no_size = "`10` is not a size: give a size with a unit, such as 512M, 10G or 1T (1K is 1024 bytes)";
        assert_eq!(memory("10"), Err(no_size.to_owned()));
    }
}
