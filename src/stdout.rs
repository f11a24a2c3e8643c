//! Standard output as the place where a result goes: what cannot be written there is lost, and
//! whoever asked for it has to be told. A leaf: both programs write their results through it.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether standard output was closed when the process began, as by `>&-`.
static CLOSED: AtomicBool = AtomicBool::new(false);

// Rust's runtime opens /dev/null in the place of a closed descriptor before `main`, and writes to
// it then succeed. The look comes before the runtime does that. Afterwards nobody can tell it from
// a /dev/null that the caller opened, which is a wish and no mistake.
#[ctor::ctor]
fn look_at_standard_output() {
    let found = rustix::io::fcntl_getfd(rustix::stdio::stdout());
    CLOSED.store(found.is_err(), Ordering::Relaxed);
}

/// Writes a result. A reader that went away, as in `rdc … | head`, is no failure.
pub fn write(text: &str) -> io::Result<()> {
    written(text.as_bytes()).map_err(|error| {
        let problem = format!("cannot write the result to standard output: {error}");
        io::Error::new(error.kind(), problem)
    })
}

fn written(bytes: &[u8]) -> io::Result<()> {
    if CLOSED.load(Ordering::Relaxed) {
        return Err(io::Error::from(rustix::io::Errno::BADF));
    }
    // Not through `io::stdout`, which takes a descriptor that cannot be written to for a success.
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    match output.write_all(bytes) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
