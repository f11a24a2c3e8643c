//! Keys that Traefik knows and does not take from labels: it passes over them, and so is done here,
//! with a warning. Keys that nobody knows are another matter.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::LabelError;
use super::tree::Node;

/// The keys from the root on; `*` is a name. They are those that Traefik's model tags with
/// `label:"-"`, and the models of entry points, which only its own provider sets.
const KEYS: [&str; 35] = [
    "http.serverstransports",
    "http.models",
    "tcp.serverstransports",
    "tcp.models",
    "http.routers.*.parentrefs",
    "http.routers.*.defaultrule",
    "http.routers.*.deniedencodedpathcharacters",
    "http.routers.*.tls.resolvedoptions",
    "http.routers.*.observability.metadata",
    "http.services.*.weighted",
    "http.services.*.mirroring",
    "http.services.*.failover",
    "http.services.*.highestrandomweight",
    "http.services.*.loadbalancer.nginxupstreamhashby",
    "http.services.*.loadbalancer.server.fenced",
    "http.services.*.loadbalancer.sticky.cookie.expires",
    "http.middlewares.*.requestheadermodifier",
    "http.middlewares.*.responseheadermodifier",
    "http.middlewares.*.requestredirect",
    "http.middlewares.*.urlrewrite",
    "http.middlewares.*.authtlspasscertificatetoupstream",
    "http.middlewares.*.snippet",
    "http.middlewares.*.rewritetarget",
    "http.middlewares.*.upstreamvhost",
    "http.middlewares.*.approot",
    "http.middlewares.*.buffering.disablerequestbuffer",
    "http.middlewares.*.buffering.disableresponsebuffer",
    "http.middlewares.*.errors.nginxheaders",
    "http.middlewares.*.redirectregex.statuscode",
    "http.middlewares.*.redirectscheme.forcepermanentredirect",
    "tcp.services.*.weighted",
    "tcp.services.*.loadbalancer.server.address",
    "udp.services.*.weighted",
    "udp.services.*.loadbalancer.server.address",
    "tls.stores.*.defaultcertificate",
];

/// Structs that mean something without a key.
const SWITCHES: [&str; 2] = ["tls", "cookie"];

/// Takes them out of the tree, with a warning for each.
pub(super) fn take(root: &mut Node<'_>) -> Vec<LabelError> {
    let mut warnings = Vec::new();
    // Nearly no container has any, and all are looked at whenever one of their daemon changes.
    if has_any(root) {
        for key in KEYS {
            take_below(root, key, &mut warnings);
        }
    }
    warnings
}

/// The last part of each key.
static ENDS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    KEYS.iter()
        .filter_map(|key| key.rsplit('.').next())
        .collect()
});

/// Whether any node is called as one of the keys ends.
fn has_any(node: &Node<'_>) -> bool {
    let is_end = |name: &str| ENDS.iter().any(|end| end.eq_ignore_ascii_case(name));
    node.children
        .iter()
        .any(|child| is_end(child.name) || has_any(child))
}

fn take_below(node: &mut Node<'_>, key: &str, warnings: &mut Vec<LabelError>) {
    match key.split_once('.') {
        Some((name, rest)) => {
            for child in &mut node.children {
                if name == "*" || child.name.eq_ignore_ascii_case(name) {
                    take_below(child, rest, warnings);
                }
            }
            // What is left with nothing was there for the sake of the key alone, unless it is an
            // entry, which others may name.
            if name != "*" && !SWITCHES.contains(&name) {
                node.children.retain(|child| {
                    !child.name.eq_ignore_ascii_case(name)
                        || !child.children.is_empty()
                        || child.value.is_some()
                });
            }
        }
        None => node.children.retain(|child| {
            let is_ignored = child.name.eq_ignore_ascii_case(key);
            if is_ignored {
                warnings.push(LabelError {
                    label: child.label.to_owned(),
                    reason: format!("`{}` cannot be set by labels, and is ignored", child.name),
                    hint: None,
                });
            }
            !is_ignored
        }),
    }
}
