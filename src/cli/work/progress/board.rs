//! The lines on the terminal, painted over and over.
//!
//! Between two paintings the cursor stands where the first line begins. A terminal that breaks long
//! lines anew when it becomes narrower keeps the cursor at the same text, and one that cuts them
//! off keeps it in the same row: either way, the next painting begins at the same place and erases
//! everything behind it. Counting rows back from the end would be wrong in one of the two.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dialoguer::console::Term;

use super::line::Line;
use crate::cli::output::Output;

/// How often the lines are painted, and so how soon they fit a window that was resized.
const TICK: Duration = Duration::from_millis(100);
/// What turns while something is done.
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// The rows and columns of a terminal that does not tell.
const USUAL_SIZE: (u16, u16) = (24, 80);

/// All lines, and a thread that paints them as long as this is there.
pub(super) struct Board {
    canvas: Arc<Mutex<Canvas>>,
    painter: Option<(Sender<()>, JoinHandle<()>)>,
}

struct Canvas {
    output: Output,
    lines: BTreeMap<usize, Line>,
    added: usize,
    painted: usize,
    /// Whether something stands on the terminal.
    is_shown: bool,
}

impl Board {
    /// A board that shows its lines, or only keeps them where nobody could watch.
    pub(super) fn new(output: &Output) -> Self {
        let canvas = Arc::new(Mutex::new(Canvas {
            output: output.clone(),
            lines: BTreeMap::new(),
            added: 0,
            painted: 0,
            is_shown: false,
        }));
        let painter = output.animates().then(|| {
            let (end, ended) = mpsc::channel();
            let canvas = Arc::clone(&canvas);
            let painting = std::thread::spawn(move || {
                while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    lock(&canvas).paint();
                }
            });
            (end, painting)
        });
        Self { canvas, painter }
    }

    /// Adds a line below the others, and answers its number.
    pub(super) fn add(&self, line: Line) -> usize {
        let mut canvas = lock(&self.canvas);
        canvas.added += 1;
        let number = canvas.added;
        canvas.lines.insert(number, line);
        number
    }

    /// Changes a line that was not taken away meanwhile.
    pub(super) fn change(&self, number: usize, change: impl FnOnce(&mut Line)) {
        lock(&self.canvas).lines.get_mut(&number).map(change);
    }

    /// Prints something above the lines.
    pub(super) fn print(&self, print: impl FnOnce()) {
        let mut canvas = lock(&self.canvas);
        canvas.erase();
        print();
    }

    /// Takes all lines away.
    pub(super) fn clear(&self) {
        let mut canvas = lock(&self.canvas);
        canvas.lines.clear();
        canvas.erase();
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let Some((end, painting)) = self.painter.take() {
            drop(end);
            // It ends at once; if it had panicked, the lines would be the least of the worries.
            let _ = painting.join();
        }
        self.clear();
    }
}

impl Canvas {
    fn paint(&mut self) {
        let (height, width) = Term::stderr().size_checked().unwrap_or(USUAL_SIZE);
        self.painted += 1;
        let rows = rows(
            self.lines.values().collect(),
            SPINNER[self.painted % SPINNER.len()],
            (height.into(), width.into()),
            Instant::now(),
        );
        if !rows.is_empty() {
            self.output.draw(&painting(&rows));
            self.is_shown = true;
        }
    }

    fn erase(&mut self) {
        if self.is_shown {
            self.output.draw("\r\u{1b}[J");
            self.is_shown = false;
        }
    }
}

fn lock(canvas: &Mutex<Canvas>) -> MutexGuard<'_, Canvas> {
    canvas.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The texts of the lines for a terminal with so many rows and columns. Where there are more lines
/// than rows, those of machines that still are worked on come first.
fn rows(
    mut lines: Vec<&Line>,
    spinner: char,
    (height, width): (usize, usize),
    now: Instant,
) -> Vec<String> {
    if lines.len() > height {
        lines.sort_by_key(|line| line.is_ended());
        lines.truncate(height);
    }
    // In the last column, some terminals go on to the next row by themselves.
    let cells = width.saturating_sub(1);
    let text = |line: &Line| line.text(spinner, cells, now);
    lines.into_iter().map(text).collect()
}

/// What paints rows over the former ones, from where the cursor stands, and leaves it there.
fn painting(rows: &[String]) -> String {
    // Lines do not break meanwhile: the window may just have become narrower than the rows are.
    let mut codes = format!("\u{1b}[?7l\r{}", rows.join("\u{1b}[K\r\n"));
    codes.push_str("\u{1b}[J\r");
    if rows.len() > 1 {
        // Writing to a String cannot fail.
        let _ = write!(codes, "\u{1b}[{}A", rows.len() - 1);
    }
    codes + "\u{1b}[?7h"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_painting_ends_where_it_began() {
        let rows = |rows: &[&str]| rows.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(painting(&rows(&["a"])), "\u{1b}[?7l\ra\u{1b}[J\r\u{1b}[?7h");
        assert_eq!(
            painting(&rows(&["a", "b", "c"])),
            "\u{1b}[?7l\ra\u{1b}[K\r\nb\u{1b}[K\r\nc\u{1b}[J\r\u{1b}[2A\u{1b}[?7h"
        );
    }

    #[test]
    fn a_low_window_shows_the_machines_that_are_worked_on() {
        let lines: Vec<Line> = (0..5)
            .map(|number| {
                let mut line = Line::new(&format!("m{number}"));
                if number % 2 == 0 {
                    line.end("done");
                }
                line
            })
            .collect();
        let shown = |height| rows(lines.iter().collect(), '*', (height, 80), Instant::now());
        assert_eq!(
            shown(5),
            ["  m0: done", "* m1", "  m2: done", "* m3", "  m4: done"]
        );
        assert_eq!(shown(3), ["* m1", "* m3", "  m0: done"]);
    }
}
