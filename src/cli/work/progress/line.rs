//! What the line of one machine says in so many cells. Pure: the text depends on what is known and
//! on the width alone.

use std::time::{Duration, Instant};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How wide the bar is.
const BAR_CELLS: usize = 24;
/// Stands for what is left out.
const ELLIPSIS: &str = "…";
/// Of fewer cells than these, nobody makes out what is done.
const FEW_CELLS: usize = 6;

/// The line of one machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    machine: String,
    doing: String,
    bytes: Option<Bytes>,
    is_ended: bool,
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, Default)]
struct Bytes {
    done: u64,
    all: Option<u64>,
    /// When the first ones had gone, and how many those were: others may have been there already.
    first: Option<(Instant, u64)>,
}

impl Line {
    /// The line of a machine whose work begins.
    pub(super) fn new(machine: &str) -> Self {
        Self {
            machine: machine.to_owned(),
            ..Self::default()
        }
    }

    /// What is done from now on.
    pub(super) fn set_doing(&mut self, what: &str) {
        what.clone_into(&mut self.doing);
        self.bytes = None;
    }

    /// That bytes are counted from now on, of a whole if that is known.
    pub(super) fn set_whole(&mut self, all: Option<u64>) {
        self.bytes = Some(Bytes {
            all,
            ..Bytes::default()
        });
    }

    /// How many bytes have gone so far.
    pub(super) fn set_done(&mut self, done: u64, now: Instant) {
        let bytes = self.bytes.get_or_insert_default();
        bytes.done = done;
        bytes.first.get_or_insert((now, done));
    }

    /// How it ended.
    pub(super) fn end(&mut self, how: &str) {
        self.set_doing(how);
        self.is_ended = true;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The line in at most so many cells. The bar and the time left are there if there is room for
    /// them; then the names become shorter; the bytes stay.
    pub(super) fn text(&self, spinner: char, cells: usize, now: Instant) -> String {
        let mark = if self.is_ended { ' ' } else { spinner };
        let room = cells.saturating_sub(2);
        let Some(bytes) = self.bytes else {
            return shortened(&format!("{mark} {}", self.name(room)), cells);
        };
        let count = bytes.count();
        let name = self.name(room.saturating_sub(count.width() + 1));
        let mut line = match name.as_str() {
            "" => format!("{mark} {count}"),
            name => format!("{mark} {name} {count}"),
        };
        if let Some(bar) = bytes.bar()
            && line.width() + 1 + bar.width() <= cells
        {
            line = format!("{mark} {name} {bar} {count}");
        }
        if let Some(left) = bytes.time_left(now)
            && line.width() + 1 + left.width() <= cells
        {
            line = format!("{line} {left}");
        }
        shortened(&line, cells)
    }

    /// The machine and what is done, in at most so many cells. Where both are too long, each keeps
    /// half of them.
    fn name(&self, cells: usize) -> String {
        let (machine, doing) = (visible(&self.machine), visible(&self.doing));
        if doing.is_empty() || cells < 2 * FEW_CELLS {
            return shortened(&machine, cells);
        }
        let rest = cells.saturating_sub(doing.width() + 2);
        let machine = shortened(&machine, rest.max(cells / 2));
        let rest = cells.saturating_sub(machine.width() + 2);
        format!("{machine}: {}", shortened(&doing, rest))
    }
}

impl Bytes {
    fn count(self) -> String {
        match self.all {
            Some(all) => format!("{}/{} MiB", mib(self.done), mib(all)),
            None => format!("{} MiB", mib(self.done)),
        }
    }

    fn bar(self) -> Option<String> {
        let all = self.all.filter(|all| *all > 0)?;
        let full = (self.done.min(all) as f64 / all as f64 * BAR_CELLS as f64) as usize;
        Some("█".repeat(full) + &"░".repeat(BAR_CELLS - full))
    }

    fn time_left(self, now: Instant) -> Option<String> {
        let (since, before) = self.first?;
        let gone = self.done.checked_sub(before).filter(|gone| *gone > 0)?;
        let rest = self.all?.saturating_sub(self.done);
        let seconds =
            now.saturating_duration_since(since).as_secs_f64() / gone as f64 * rest as f64;
        let left = Duration::try_from_secs_f64(seconds).ok()?.as_secs();
        Some(match left {
            0..60 => format!("{left}s"),
            60..3600 => format!("{}m", left / 60),
            _ => format!("{}h", left / 3600),
        })
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1_048_576.0)
}

/// A text as one line takes it: columns would only take room, and control characters would move
/// the cursor.
fn visible(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let shown = |c: char| if c.width().is_some() { c } else { '\u{fffd}' };
    words.join(" ").chars().map(shown).collect()
}

/// A text in at most so many cells: of a longer one, the middle is left out.
fn shortened(text: &str, cells: usize) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let Some(kept) = cells.checked_sub(ELLIPSIS.width()) else {
        return String::new();
    };
    let mut room = kept - kept / 2;
    let head: String = text.chars().take_while(|c| takes(*c, &mut room)).collect();
    let mut room = kept - head.width();
    let mut tail: Vec<char> = text
        .chars()
        .rev()
        .take_while(|c| takes(*c, &mut room))
        .collect();
    tail.reverse();
    let tail: String = tail.into_iter().collect();
    format!("{head}{ELLIPSIS}{tail}")
}

/// Takes the room that a character needs, if there is so much.
fn takes(c: char, room: &mut usize) -> bool {
    let rest = room.checked_sub(c.width().unwrap_or_default());
    *room = rest.unwrap_or_default();
    rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// An upload of 12 MiB, 3 of which have gone within a second.
    fn upload(machine: &str) -> (Line, Instant) {
        let start = Instant::now();
        let mut line = Line::new(machine);
        line.set_doing("upload   /usr/lib/rediacc/renet/0a1b2c3d4e5f/renet");
        line.set_whole(Some(12 * MIB));
        line.set_done(0, start);
        line.set_done(3 * MIB, start + Duration::from_secs(1));
        (line, start + Duration::from_secs(1))
    }

    #[test]
    fn names_give_way_to_sizes() {
        let (line, now) = upload("server-1");
        for (cells, expected) in [
            (
                120,
                "⠋ server-1: upload /usr/lib/rediacc/renet/0a1b2c3d4e5f/renet \
                 ██████░░░░░░░░░░░░░░░░░░ 3.0/12.0 MiB 3s",
            ),
            (
                80,
                "⠋ server-1: upload /usr/lib/rediacc/renet/0a1b2c3d4e5f/renet 3.0/12.0 MiB 3s",
            ),
            (
                60,
                "⠋ server-1: upload /usr/lib/r…a1b2c3d4e5f/renet 3.0/12.0 MiB",
            ),
            (40, "⠋ server-1: upload …f/renet 3.0/12.0 MiB"),
            (20, "⠋ se…-1 3.0/12.0 MiB"),
            (15, "⠋ 3.0/12.0 MiB"),
            (10, "⠋ 3.0… MiB"),
            (1, "…"),
            (0, ""),
        ] {
            assert_eq!(line.text('⠋', cells, now), expected, "{cells} cells");
        }
    }

    #[test]
    fn of_two_long_names_each_keeps_its_ends() {
        let (line, now) = upload("production-web-frontend-07");
        assert_eq!(
            line.text('⠋', 50, now),
            "⠋ producti…ntend-07: upload /…f/renet 3.0/12.0 MiB"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = "a".repeat(63);
        for machine in ["a", "server-1", "bücher", "服务器-東京-一号機", &long] {
            let (counted, now) = upload(machine);
            let mut plain = Line::new(machine);
            plain.set_doing("link     /etc/systemd/system/服务\u{1b}[2J.service to the\nlive one");
            let mut ended = plain.clone();
            ended.end("done");
            let mut unknown = counted.clone();
            unknown.set_whole(None);
            for line in [&counted, &plain, &ended, &unknown, &Line::new(machine)] {
                for cells in 0..200 {
                    let text = line.text('⠋', cells, now);
                    assert!(text.width() <= cells, "{cells} cells: {text:?}");
                    assert!(!text.contains(char::is_control), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn a_wide_character_is_kept_whole_or_not_at_all() {
        for (cells, expected) in [
            (7, "服…主机"),
            (6, "服…机"),
            (5, "服…机"),
            (4, "服…"),
            (2, "…"),
        ] {
            assert_eq!(shortened("服务器主机", cells), expected, "{cells} cells");
        }
    }

    #[test]
    fn the_time_left_counts_what_went_now() {
        let start = Instant::now();
        let mut line = Line::new("a");
        line.set_whole(Some(100 * MIB));
        // An earlier push brought these.
        line.set_done(90 * MIB, start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(line.text(' ', 80, at(0)).ends_with(" 90.0/100.0 MiB"));
        line.set_done(91 * MIB, at(30));
        assert!(line.text(' ', 80, at(30)).ends_with(" 91.0/100.0 MiB 4m"));
    }
}
