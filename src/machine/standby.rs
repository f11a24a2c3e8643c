//! The unit of the Traefik that serves while the other one restarts. Pure: from the unit of the
//! other one, with what is different.

use std::path::Path;

use crate::layout;

/// For how long it may run at most, should nobody stop it.
const LIMIT: &str = "5min";

/// Whether a Traefik that is started by this unit shares its entry points.
pub(super) fn can_stand_by(unit: &str) -> bool {
    unit.lines()
        .any(|line| line.starts_with("ExecStart=") && line.contains("/renet proxy "))
}

/// The standby's unit, from a generation's unit and what the operator added to it. It runs what is
/// in the generation's own folder, whichever one is live.
pub(super) fn unit(unit: &str, generation: &Path, drop_ins: &[String]) -> String {
    let credentials = |name| format!("/run/credentials/{name}/");
    let mut text = unit
        .replace(
            &format!("{}/", layout::CURRENT),
            &format!("{}/", generation.display()),
        )
        .replace(
            &format!(" {}\n", layout::CURRENT),
            &format!(" {}\n", generation.display()),
        )
        .replace(
            &credentials(layout::PROXY_SERVICE),
            &credentials(layout::STANDBY_SERVICE),
        );
    for drop_in in drop_ins {
        text.push('\n');
        text.push_str(drop_in);
    }
    text.push_str(&format!(
        "
[Unit]
Description=Rediacc proxy (Traefik) while the other one restarts

[Service]
# It comes up at once or not at all, and is not there to stay.
Restart=no
RuntimeMaxSec={LIMIT}
# Traefik's sign of life is an answer of its ping, at the address of its configuration: the other's.
WatchdogSec=0
# Traefik ends so where a poll for routes is still held when its time to stop is over.
SuccessExitStatus=2
Environment=REDIACC_STANDBY=true
RuntimeDirectory=
RuntimeDirectory={runtime_dir}
",
        runtime_dir = layout::STANDBY_RUNTIME_DIR,
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = include_str!("../../templates/rediacc-proxy.service");

    #[test]
    fn it_runs_the_generation_with_the_operators_settings_and_its_own_last() {
        let rendered = UNIT
            .replace("{{ current }}", layout::CURRENT)
            .replace("{{ proxy_runtime_dir }}", layout::PROXY_RUNTIME_DIR);
        assert!(can_stand_by(&rendered));
        let drop_in = "[Service]\nEnvironment=LOCAL=1\nRestart=on-failure\n".to_owned();
        let text = unit(
            &rendered,
            Path::new("/etc/rediacc/generations/7"),
            &[drop_in],
        );
        for (setting, last) in [
            (
                "ExecStart=",
                "/etc/rediacc/generations/7/renet proxy /etc/rediacc/generations/7",
            ),
            (
                "LoadCredential=",
                "cf-dns-token:/etc/rediacc/generations/7/cf-dns-token",
            ),
            (
                "Environment=CF_DNS_API_TOKEN_FILE=",
                "/run/credentials/rediacc-proxy-standby.service/cf-dns-token",
            ),
            ("Environment=LOCAL=", "1"),
            ("Environment=REDIACC_STANDBY=", "true"),
            ("RuntimeDirectory=", "rediacc-proxy-standby"),
            ("Restart=", "no"),
            ("WatchdogSec=", "0"),
            ("User=", "rediacc-proxy"),
        ] {
            let mut values = text.lines().filter_map(|line| line.strip_prefix(setting));
            assert_eq!(values.next_back(), Some(last), "{setting}");
        }
    }

    #[test]
    fn a_traefik_that_systemd_starts_itself_shares_nothing() {
        let former = "[Service]\nExecStart=/etc/rediacc/current/traefik --configFile=x\n";
        assert!(!can_stand_by(former));
    }
}
