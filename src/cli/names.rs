//! Completion of commands, options and names: the shell asks `rdc` at each TAB. Contexts and machines
//! come from the operator's files; repositories and services are those that machines listed last, so
//! that TAB never waits for a machine. Nothing fails, and only candidates are printed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use super::repo::Known;
use crate::context::store::Store;
use crate::context::value::ContextName;

/// The environment variable that makes `rdc` complete instead of run; its value names the shell.
const VARIABLE: &str = "RDC_COMPLETE";
/// The name by which the shell calls the program.
const PROGRAM: &str = "rdc";
/// The options that take a value: the word after one is not the name of a repository.
const WITH_VALUE: [&str; 6] = ["--machine", "-m", "--context", "--color", "--lines", "-n"];

/// Prints candidates if a shell asks for them. Returns whether it did.
pub(super) fn complete(arguments: &[OsString]) -> bool {
    if std::env::var_os(VARIABLE).is_none_or(|shell| shell.is_empty()) {
        return false;
    }
    let typed = Arc::new(Typed::of(arguments));
    let environment = CompleteEnv::with_factory(|| {
        let mut command = super::command();
        // Adds what clap adds by itself, such as --help.
        command.build();
        with_names(command, &typed)
    });
    let folder = std::env::current_dir().ok();
    // Errors are dropped: their text would spoil the line that is being typed.
    let _ = environment
        .var(VARIABLE)
        .bin(PROGRAM)
        .completer(PROGRAM)
        .try_complete(arguments, folder.as_deref());
    true
}

/// The script that makes a shell ask `rdc` for candidates; none for a shell that clap does not know.
pub(super) fn registration(shell: &str) -> Option<String> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    shells
        .completer(shell)?
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .ok()?;
    let script = String::from_utf8(script).ok()?;
    Some(match shell {
        // If `rdc` is missing, its error must not spoil the line that is being typed.
        "bash" => script.replace("\"${words[@]}\" \\\n", "\"${words[@]}\" 2>/dev/null \\\n"),
        "fish" => script.replace(
            "(commandline --current-token))",
            "(commandline --current-token) 2>/dev/null)",
        ),
        // zsh calls the file itself the first time that it is loaded from `fpath`.
        "zsh" => format!(
            "{}\nif [ \"$funcstack[1]\" = \"_rdc\" ]; then\n    _clap_dynamic_completer_rdc \"$@\"\nfi\n",
            script.trim_end()
        ),
        _ => script,
    })
}

/// The command line with candidates for every argument that is a name of something that exists.
fn with_names(command: Command, typed: &Arc<Typed>) -> Command {
    command
        .mut_args(|argument| with_candidates(argument, typed))
        .mut_subcommands(|command| with_names(command, typed))
}

fn with_candidates(argument: Arg, typed: &Arc<Typed>) -> Arg {
    // Options would be listed among the names, and a single name would not be completed. Hidden ones are
    // shown only if there is nothing else.
    let is_beside = !argument.is_positional() && !typed.begins_option;
    let argument = if is_beside {
        argument.hide(true)
    } else {
        argument
    };
    let names = argument.get_value_names().unwrap_or_default();
    let name = names.first().map(clap::builder::Str::as_str);
    let find: fn(&Typed) -> BTreeSet<String> = match (name, argument.get_id().as_str()) {
        (Some("MACHINE"), _) => Typed::machines,
        (Some("REPOSITORY"), _) => Typed::repositories,
        (Some("SERVICE"), _) => Typed::services,
        (Some("CONTEXT"), _) | (_, "context") => Typed::contexts,
        _ => return argument,
    };
    let typed = typed.clone();
    argument.add(ArgValueCandidates::new(move || {
        find(&typed)
            .into_iter()
            .map(CompletionCandidate::new)
            .collect()
    }))
}

/// The part of the typed line that decides which names are candidates.
#[derive(Debug, Default, PartialEq, Eq)]
struct Typed {
    context: Option<String>,
    machine: Option<String>,
    repository: Option<String>,
    /// Whether the last word begins as options do.
    begins_option: bool,
}

impl Typed {
    /// Reads the words after `--`, which are the typed line.
    fn of(arguments: &[OsString]) -> Self {
        let words = arguments.iter().filter_map(|word| word.to_str());
        let words: Vec<&str> = words.skip_while(|word| *word != "--").skip(1).collect();
        let option = |long: &str, short: Option<&str>| {
            words.iter().enumerate().find_map(|(at, word)| {
                if *word == long || Some(*word) == short {
                    return words.get(at + 1).copied();
                }
                word.strip_prefix(long)?.strip_prefix('=')
            })
        };
        let verb = words
            .iter()
            .position(|word| *word == "repo")
            .map(|at| at + 1);
        let repository = verb.and_then(|verb| {
            let behind = |at: usize| words[at - 1];
            let is_value = |at: usize| WITH_VALUE.contains(&behind(at));
            let found =
                (verb + 1..words.len()).find(|at| !words[*at].starts_with('-') && !is_value(*at));
            found.map(|at| words[at].to_owned())
        });
        Self {
            context: option("--context", None).map(str::to_owned),
            machine: option("--machine", Some("-m")).map(str::to_owned),
            repository,
            begins_option: words.last().is_some_and(|word| word.starts_with('-')),
        }
    }

    fn context(&self) -> String {
        let named = self.context.clone();
        named
            .or_else(|| std::env::var("REDIACC_CONTEXT").ok())
            .unwrap_or_else(|| "default".to_owned())
    }

    fn contexts(&self) -> BTreeSet<String> {
        let names = Store::of_user().and_then(|store| store.names());
        let names = names.unwrap_or_default();
        names.iter().map(ToString::to_string).collect()
    }

    fn machines(&self) -> BTreeSet<String> {
        let Ok(name) = self.context().parse::<ContextName>() else {
            return BTreeSet::new();
        };
        let context = Store::of_user().and_then(|store| store.load(&name));
        let machines = context.map(|context| context.machines).unwrap_or_default();
        machines.keys().map(ToString::to_string).collect()
    }

    fn repositories(&self) -> BTreeSet<String> {
        Known::of_user().repositories(&self.context(), self.machine.as_deref())
    }

    fn services(&self) -> BTreeSet<String> {
        let Some(repository) = &self.repository else {
            return BTreeSet::new();
        };
        Known::of_user().services(&self.context(), self.machine.as_deref(), repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_decides_which_names_there_are() {
        for (line, context, machine, repository) in [
            ("rdc -- rdc repo status ", None, None, None),
            (
                "rdc -- rdc repo exec app -m a web",
                None,
                Some("a"),
                Some("app"),
            ),
            (
                "rdc -- rdc repo exec -m a app web",
                None,
                Some("a"),
                Some("app"),
            ),
            (
                "rdc -- rdc --context x repo logs --machine=b -n 5 app",
                Some("x"),
                Some("b"),
                Some("app"),
            ),
            (
                "rdc -- rdc --context=x context machines",
                Some("x"),
                None,
                None,
            ),
            ("rdc", None, None, None),
        ] {
            let arguments: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
            let expected = Typed {
                context: context.map(str::to_owned),
                machine: machine.map(str::to_owned),
                repository: repository.map(str::to_owned),
                begins_option: false,
            };
            assert_eq!(Typed::of(&arguments), expected, "{line}");
        }
    }
}
