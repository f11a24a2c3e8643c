//! A terminal for a program that asks: `script` of util-linux holds the pseudo-terminal.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

/// A program on a terminal, and what it showed so far.
pub(crate) struct Terminal {
    child: Child,
    shown: Vec<u8>,
}

impl Terminal {
    /// Starts a command line of the shell.
    pub(crate) fn start(command_line: &str) -> Self {
        let child = Command::new("script")
            .args(["--quiet", "--flush", "--return", "--command", command_line])
            .arg("/dev/null")
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("`script` of util-linux runs");
        Self {
            child,
            shown: Vec::new(),
        }
    }

    /// Waits until something is on the screen.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) {
        let screen = self.child.stdout.as_mut().expect("a pipe");
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&self.shown).contains(text) {
            let count = screen.read(&mut buffer).expect("it is read");
            let shown = String::from_utf8_lossy(&self.shown);
            assert!(count > 0, "it ended before {text:?}:\n{shown}");
            self.shown.extend_from_slice(&buffer[..count]);
        }
    }

    /// Waits until something is painted anew, whatever was there before; answers what was shown
    /// meanwhile.
    #[track_caller]
    pub(crate) fn shows_anew(&mut self, text: &str) -> String {
        let earlier = std::mem::take(&mut self.shown);
        self.shows(text);
        let meanwhile = String::from_utf8_lossy(&self.shown).into_owned();
        self.shown.splice(0..0, earlier);
        meanwhile
    }

    /// Presses keys.
    pub(crate) fn types(&mut self, keys: &str) {
        let keyboard = self.child.stdin.as_mut().expect("a pipe");
        keyboard.write_all(keys.as_bytes()).expect("it is typed");
        keyboard.flush().expect("it is typed");
    }

    /// Waits for the end: the exit code, and everything that was shown.
    pub(crate) fn end(mut self) -> (i32, String) {
        let mut screen = self.child.stdout.take().expect("a pipe");
        screen.read_to_end(&mut self.shown).expect("it is read");
        let status = self.child.wait().expect("it ends");
        let shown = String::from_utf8_lossy(&self.shown).into_owned();
        (status.code().expect("a code"), shown)
    }
}
