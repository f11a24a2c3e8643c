//! An explanation in plain words. Pure.

use super::Explanation;
use super::container::{ContainerAnswer, Missing, RouterAnswer};
use super::host::{Answering, HostAnswer};
use super::parts::Part;
use crate::network::NetworkId;
use crate::route_server::container::Condition;
use crate::route_server::ownership::{Owned, RejectedContainer};
use crate::route_server::routes::Rejection;

/// The whole text.
pub(super) fn text(explanation: &Explanation) -> String {
    let Explanation { containers, host } = explanation;
    let hosts = host.iter().map(host_text);
    let all: Vec<String> = hosts.chain(containers.iter().map(container_text)).collect();
    all.join("\n")
}

fn host_text(answer: &HostAnswer) -> String {
    let HostAnswer {
        host,
        owners,
        answered_by,
    } = answer;
    let mut text = format!("host {host}\n");
    text.extend(owners.iter().map(owner_text));
    if answered_by.is_empty() {
        text += "  answered by nobody now\n";
    }
    for (index, answering) in answered_by.iter().enumerate() {
        let Answering {
            protocol,
            router,
            rule,
            addresses,
            servers,
            container,
            network_id,
            ..
        } = answering;
        let order = if index == 0 { "answered by" } else { "else by" };
        let container = container.as_deref().unwrap_or("?");
        text += &format!("  {order} the {protocol} router {router}\n");
        text += &format!("    container  {container}, {}\n", repository(*network_id));
        text += &format!("    addresses  {}\n", addresses.join(", "));
        text += &format!("    rule       {rule}\n");
        text += &format!("    servers    {}\n", servers.join(", "));
    }
    text
}

fn owner_text(owned: &Owned) -> String {
    let Owned {
        resource,
        owner,
        by,
        since,
        last_seen,
        rejected,
    } = owned;
    let since = since.as_ref().map(|since| format!(", since {since}"));
    let seen = last_seen.as_ref().map(|seen| format!(", last seen {seen}"));
    let (since, seen) = (since.unwrap_or_default(), seen.unwrap_or_default());
    let owner = match owner.as_str() {
        "operator" => "the operator".to_owned(),
        id => format!("repository {id}"),
    };
    let mut text = format!("  {resource} belongs to {owner}: {by}{since}{seen}\n");
    for RejectedContainer {
        repository,
        container,
    } in rejected
    {
        text += &format!("    rejected: container {container}, repository {repository}\n");
    }
    text
}

fn container_text(answer: &ContainerAnswer) -> String {
    let ContainerAnswer {
        container,
        network_id,
        condition,
        routers,
        rejections,
        warnings,
        missing,
    } = answer;
    let condition = match condition {
        Condition::Ready => "running",
        Condition::Unhealthy => "running, not healthy",
        Condition::NotRunning => "not running",
    };
    let mut text = format!(
        "container {container}, {}, {condition}\n",
        repository(*network_id)
    );
    text.extend(routers.iter().map(router_text));
    let rejections = rejections.iter().map(|one| ("rejected", one));
    let warnings = warnings.iter().map(|one| ("warning", one));
    for (what, one) in rejections.chain(warnings) {
        let Rejection {
            label,
            reason,
            hint,
            ..
        } = one;
        let label = label.as_ref().map(|label| format!("{label}: "));
        text += &format!("  {what}: {}{reason}\n", label.unwrap_or_default());
        text += &hint_text(hint.as_deref());
    }
    for Missing { reason, hint } in missing {
        let what = if routers.is_empty() {
            "no route"
        } else {
            "note"
        };
        text += &format!("  {what}: {reason}\n");
        text += &hint_text(hint.as_deref());
    }
    text
}

fn router_text(router: &RouterAnswer) -> String {
    let RouterAnswer {
        protocol,
        name,
        auto,
        addresses,
        servers: _,
        parts,
    } = router;
    let kind = if *auto { "auto route" } else { "router" };
    let mut text = format!("  {protocol} {kind} {name}: {}\n", addresses.join(", "));
    for part in parts {
        let Part {
            part,
            value,
            labels,
            otherwise,
        } = part;
        let mut sources = labels.clone();
        sources.extend(otherwise.map(str::to_owned));
        text += &format!("    {part:<12} {value}\n");
        text.extend(
            sources
                .iter()
                .map(|source| format!("    {:<12}   by {source}\n", "")),
        );
    }
    text
}

fn hint_text(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!("    hint: {hint}\n"))
}

fn repository(network_id: Option<NetworkId>) -> String {
    match network_id {
        Some(id) => format!("repository {id}"),
        None => "no repository".to_owned(),
    }
}
