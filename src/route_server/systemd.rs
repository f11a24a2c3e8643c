//! What systemd is told, where it started us: when we are ready, that we are alive, when we stop.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::interval;
use tracing::warn;

/// Says that the service is ready at the first publication, and from the start on as often as the
/// unit's watchdog wants that this thread still gets its turn. Never ends.
pub async fn notify<T>(mut publication: watch::Receiver<Option<T>>) {
    let alive = async {
        // Twice as often as asked for, so that one late turn is not the end.
        match sd_notify::watchdog_enabled() {
            Some(period) => beat(period / 2).await,
            None => std::future::pending().await,
        }
    };
    let ready = async {
        // It fails when nothing is published any more, which is when the program ends.
        if publication.wait_for(Option::is_some).await.is_ok() {
            tell(NotifyState::Ready);
        }
    };
    tokio::join!(ready, alive);
}

/// Says that the service stops.
pub fn notify_stopping() {
    tell(NotifyState::Stopping);
}

async fn beat(period: Duration) {
    let mut ticks = interval(period.max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        tell(NotifyState::Watchdog);
    }
}

/// Does nothing where systemd did not start us.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!("cannot notify systemd: {error}");
    }
}
