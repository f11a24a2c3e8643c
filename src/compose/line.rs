//! The command line of Compose, read as Compose reads it. Pure.

use super::commands::{GLOBAL_VALUED, Names, Need, find};

/// With these options, `config` shows the files as they are written, without interpolation.
const CONFIG_AS_WRITTEN: &[&str] = &[
    "--environment",
    "--no-interpolate",
    "--no-normalize",
    "--no-path-resolution",
    "--variables",
];

/// One part of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// An option, as `--file` or `-f`, and its value.
    Option(String, Option<String>),
    /// A word that is no option.
    Word(String),
    /// `--`, and the words that Compose does not read.
    Verbatim(String),
}

impl Part {
    /// Back to words.
    pub(super) fn words(&self) -> Vec<String> {
        match self {
            Self::Option(name, None) => vec![name.clone()],
            Self::Option(name, Some(value)) if name.starts_with("--") => {
                vec![format!("{name}={value}")]
            }
            Self::Option(name, Some(value)) => vec![name.clone(), value.clone()],
            Self::Word(word) | Self::Verbatim(word) => vec![word.clone()],
        }
    }
}

/// The command line of Compose.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Compose's own options.
    pub(super) global: Vec<Part>,
    /// The command.
    pub(super) command: Option<String>,
    /// The command's options and words.
    pub(super) rest: Vec<Part>,
}

impl Line {
    pub(super) fn parse(words: &[String]) -> Self {
        let (global, words) = options(words, GLOBAL_VALUED, Names::First);
        let (command, words) = match words.split_first() {
            Some((command, words)) => (Some(command.clone()), words),
            None => (None, words),
        };
        let known = command.as_deref().and_then(find);
        let rest = match known {
            Some(known) => {
                let (mut parts, words) = options(words, known.valued, known.names);
                if let Some((first, others)) = words.split_first() {
                    parts.push(Part::Word(first.clone()));
                    parts.extend(others.iter().cloned().map(Part::Verbatim));
                }
                parts
            }
            None => words.iter().cloned().map(Part::Verbatim).collect(),
        };
        Self {
            global,
            command,
            rest,
        }
    }

    pub(super) fn need(&self) -> Need {
        let Some(command) = &self.command else {
            return Need::Nothing;
        };
        let asks_for_help = |part: &Part| match part {
            Part::Option(name, _) => matches!(name.as_str(), "--help" | "-h"),
            _ => false,
        };
        if self.global.iter().chain(&self.rest).any(asks_for_help) {
            return Need::Nothing;
        }
        let is_config = matches!(command.as_str(), "config" | "convert");
        if is_config && CONFIG_AS_WRITTEN.iter().any(|name| self.has(&[name])) {
            return Need::Environment;
        }
        find(command).map_or(Need::Model, |known| known.need)
    }

    /// Which of the command's words name services.
    pub(super) fn names(&self) -> Names {
        let known = self.command.as_deref().and_then(find);
        known.map_or(Names::Nothing, |known| known.names)
    }

    /// Whether the command has one of these options.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.values(names).next().is_some()
    }

    /// The values that the command's option has, under any of its names.
    pub(super) fn values<'a>(
        &'a self,
        names: &'a [&str],
    ) -> impl Iterator<Item = Option<&'a str>> + 'a {
        values(&self.rest, names)
    }

    /// The values that one of Compose's own options has, under any of its names.
    pub(super) fn globals<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> + 'a {
        values(&self.global, names).flatten()
    }

    /// Compose's own options, but for these, as words.
    pub(super) fn global_words(&self, without: &[&str]) -> Vec<String> {
        let stays = |part: &&Part| match part {
            Part::Option(name, _) => !without.contains(&name.as_str()),
            _ => true,
        };
        self.global
            .iter()
            .filter(stays)
            .flat_map(Part::words)
            .collect()
    }

    /// The whole line.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = self.global_words(&[]);
        words.extend(self.command_words());
        words
    }

    /// The command with its options and words.
    pub(super) fn command_words(&self) -> Vec<String> {
        let rest = self.rest.iter().flat_map(Part::words);
        self.command.iter().cloned().chain(rest).collect()
    }
}

fn values<'a>(parts: &'a [Part], names: &'a [&str]) -> impl Iterator<Item = Option<&'a str>> + 'a {
    parts.iter().filter_map(move |part| match part {
        Part::Option(name, value) if names.contains(&name.as_str()) => Some(value.as_deref()),
        _ => None,
    })
}

/// Reads options as Compose does. With `Names::First`, it stops at the first word.
fn options<'a>(words: &'a [String], valued: &[&str], names: Names) -> (Vec<Part>, &'a [String]) {
    let mut parts = Vec::new();
    let mut left = words;
    while let Some((word, others)) = left.split_first() {
        let is_option = word.len() > 1 && word.starts_with('-');
        if word == "--" {
            parts.push(Part::Verbatim(word.clone()));
            if names == Names::First {
                return (parts, others);
            }
            parts.extend(others.iter().cloned().map(Part::Word));
            return (parts, &[]);
        }
        if !is_option {
            if names == Names::First {
                return (parts, left);
            }
            parts.push(Part::Word(word.clone()));
            left = others;
            continue;
        }
        left = others;
        if word.starts_with("--") {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let value = value.or_else(|| take_value(valued.contains(&name), &mut left));
            parts.push(Part::Option(name.to_owned(), value));
        } else {
            short_options(word, valued, &mut left, &mut parts);
        }
    }
    (parts, left)
}

/// `-dt5` is `-d` and `-t 5`.
fn short_options(word: &str, valued: &[&str], left: &mut &[String], parts: &mut Vec<Part>) {
    for (at, letter) in word[1..].char_indices() {
        let name = format!("-{letter}");
        if !valued.contains(&name.as_str()) {
            parts.push(Part::Option(name, None));
            continue;
        }
        let inline = &word[1 + at + letter.len_utf8()..];
        let value = if inline.is_empty() {
            take_value(true, left)
        } else {
            Some(inline.strip_prefix('=').unwrap_or(inline).to_owned())
        };
        parts.push(Part::Option(name, value));
        return;
    }
}

fn take_value(takes_one: bool, left: &mut &[String]) -> Option<String> {
    if !takes_one {
        return None;
    }
    let (value, others) = left.split_first()?;
    *left = others;
    Some(value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Line::parse(&words)
    }

    #[test]
    fn a_line_is_read_as_compose_reads_it() {
        for (text, global, command) in [
            ("up -d", "", "up -d"),
            (
                "-f a.yml -fb.yml --file c.yml -f=d.yml up",
                "-f a.yml -f b.yml --file=c.yml -f d.yml",
                "up",
            ),
            (
                "-p x --profile=a --ansi never up --scale web=2 web",
                "-p x --profile=a --ansi=never",
                "up --scale=web=2 web",
            ),
            ("--dry-run up", "--dry-run", "up"),
            ("stop -t5 web", "", "stop -t 5 web"),
            ("up -dt5 web", "", "up -d -t 5 web"),
            ("logs --tail 5 -f web", "", "logs --tail=5 -f web"),
            (
                "exec -u root web sh -c -- x",
                "",
                "exec -u root web sh -c -- x",
            ),
            ("run --rm -- web -f", "", "run --rm -- web -f"),
            ("new-command -x y", "", "new-command -x y"),
            ("", "", ""),
        ] {
            let line = line(text);
            assert_eq!(line.global_words(&[]).join(" "), global, "{text}");
            assert_eq!(line.command_words().join(" "), command, "{text}");
        }
    }

    #[test]
    fn each_command_gets_what_it_needs() {
        for (text, need) in [
            ("up -d", Need::Model),
            ("run --rm web sh", Need::Model),
            ("run web --help", Need::Model),
            ("config", Need::Model),
            ("config --no-interpolate", Need::Environment),
            ("never-heard-of", Need::Model),
            ("-f x ps", Need::Environment),
            ("down -v", Need::Environment),
            ("logs -f", Need::Environment),
            ("version", Need::Nothing),
            ("up --help", Need::Nothing),
            ("--help", Need::Nothing),
            ("-f x", Need::Nothing),
        ] {
            assert_eq!(line(text).need(), need, "{text}");
        }
    }

    #[test]
    fn values_of_options_are_no_words() {
        let line = line("up -t 5 --scale web=2 --scale=db=3 -d web");
        let scales: Vec<_> = line.values(&["--scale"]).collect();
        assert_eq!(scales, [Some("web=2"), Some("db=3")]);
        assert!(line.has(&["-d", "--detach"]));
        let words = line
            .rest
            .iter()
            .filter(|part| matches!(part, Part::Word(_)));
        assert_eq!(words.count(), 1);
    }
}
