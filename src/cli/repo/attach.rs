//! What `logs` and `exec` share: they connect a program on the machine to our terminal.

use super::exchange::Exchange;
use crate::cli::failure::{Exit, Failure};
use crate::cli::interrupt::unless_interrupted;
use crate::cli::work::call::Connection;
use crate::cli::work::fleet;
use crate::cli::work::progress::Display;
use crate::remote::Streams;

/// Runs `renet repo VERB` on our terminal, or with our standard streams, and returns its exit code.
pub(super) fn attach(
    exchange: &Exchange<'_>,
    verb: &str,
    options: Vec<String>,
    streams: Streams,
) -> Result<Exit, Failure> {
    let Exchange {
        session,
        machine,
        caller,
    } = exchange;
    let none = format!(
        "error: there is no `renet` to run on {machine}\n\
         hint: `rdc context push-infra {machine}` brings it"
    );
    let call = caller.question("repo", verb, options);
    let display = Display::new(&session.output);
    let ended = fleet::block_on(async {
        let connected = unless_interrupted(caller.connect(&display)).await;
        // From here on the terminal belongs to the program.
        display.clear();
        let Some(connected) = connected else {
            return Ok(None);
        };
        let Connection { remote, .. } = connected?;
        let attached = call.attach(&remote, streams, &none);
        let code = unless_interrupted(attached).await.transpose();
        remote.close().await;
        Ok(code?)
    })?;
    Ok(match caller.end(ended)? {
        Some(code) => Exit::Program(u8::try_from(code).unwrap_or(u8::MAX)),
        None => Exit::Interrupted,
    })
}
