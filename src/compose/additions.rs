//! What each service gets: host networking, its labels, its address, and the names of all services.
//! Pure, except that it resolves the symlinks in the paths of mounts.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::model::{Model, Object};
use super::replicas::Replicas;
use super::rules::Folder;
use crate::layout;
use crate::network::NetworkId;
use crate::repository::{RepositoryName, Slots, daemon};

/// Host names that always mean the machine itself.
const LOOPBACK_NAMES: [&str; 4] = [
    "localhost",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
];

/// The facts that the additions are made of.
pub(super) struct Additions<'a> {
    pub(super) id: NetworkId,
    pub(super) name: Option<&'a RepositoryName>,
    pub(super) slots: &'a Slots,
    pub(super) replicas: &'a Replicas,
    pub(super) folder: Folder<'a>,
}

impl Additions<'_> {
    /// Adds them to the model. Returns notes for the operator.
    pub(super) fn add_to(&self, model: &mut Model) -> Vec<String> {
        let addresses: BTreeMap<String, Ipv4Addr> = model
            .services()
            .filter_map(|(name, _)| {
                let slot = self.slots.slot(name)?;
                Some((name.to_owned(), self.id.address(slot)?))
            })
            .collect();
        // Without the replicas' own names: a changed hosts file makes Compose recreate a container, so
        // that every change of their number would recreate all services.
        let hosts: BTreeMap<&str, Ipv4Addr> = addresses
            .iter()
            .filter(|(name, _)| self.replicas.service_of(name) == *name)
            .map(|(name, address)| (name.as_str(), *address))
            .collect();
        for (name, service) in model.services_mut() {
            if let Some(address) = addresses.get(name) {
                self.add_to_service(name, *address, service, &hosts);
            }
        }
        // There is only the host's.
        model.top_mut().remove("networks");
        self.resolve_paths(model);
        addresses
            .keys()
            .filter(|name| is_loopback_name(name))
            .map(|name| {
                let variable = crate::repository::variable(name);
                format!(
                    "`{name}` means the machine itself everywhere: reach that service by ${{{variable}}} \
                     or its route, not by its name"
                )
            })
            .collect()
    }

    fn add_to_service(
        &self,
        name: &str,
        address: Ipv4Addr,
        service: &mut Object,
        hosts: &BTreeMap<&str, Ipv4Addr>,
    ) {
        service.remove("networks");
        let mode = service.entry("network_mode").or_insert(Value::Null);
        if mode.is_null() {
            *mode = "host".into();
        }
        let has_network = mode != "none";

        let labels = mapping(service, "labels");
        let own = self.replicas.service_of(name);
        labels.insert(daemon::SERVICE_NAME.to_owned(), own.into());
        labels.insert(daemon::SERVICE_IP.to_owned(), address.to_string().into());
        labels.insert(daemon::NETWORK_ID.to_owned(), self.id.to_string().into());
        if let Some(name) = self.name {
            labels.insert(daemon::REPO_NAME.to_owned(), name.as_str().into());
        }
        let environment = mapping(service, "environment");
        environment.insert("SERVICE_IP".to_owned(), address.to_string().into());

        if has_network {
            add_hosts(service, hosts);
        }
        if let Some(build) = service.get_mut("build").and_then(Value::as_object_mut) {
            let network = build.entry("network").or_insert(Value::Null);
            if network.is_null() || network == "default" {
                *network = "host".into();
            }
        }
        self.resolve_mounts(service);
        self.keep_from_watching(service);
    }

    /// Replaces the sources of mounts by their targets without symlinks, and hides the private folder.
    fn resolve_mounts(&self, service: &mut Object) {
        let Some(volumes) = service.get_mut("volumes").and_then(Value::as_array_mut) else {
            return;
        };
        let targets: Vec<String> = volumes
            .iter()
            .filter_map(|volume| volume.get("target")?.as_str().map(str::to_owned))
            .collect();
        let mut hidden = Vec::new();
        for volume in volumes.iter_mut().filter_map(Value::as_object_mut) {
            if volume.get("type") != Some(&"bind".into()) {
                continue;
            }
            let Some(source) = volume.get("source").and_then(Value::as_str) else {
                continue;
            };
            let target = volume
                .get("target")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if self.folder.is_root(source) {
                let private = layout::REPOSITORY_PRIVATE;
                let target = format!("{}/{private}", target.trim_end_matches('/'));
                if !targets.contains(&target) {
                    hidden.push(json!({"type": "tmpfs", "target": target, "read_only": true}));
                }
            }
            if let Some(real) = self.real(source) {
                volume.insert("source".to_owned(), real.into());
            }
        }
        let targets: Vec<String> = hidden
            .iter()
            .filter_map(|mount: &Value| mount["target"].as_str().map(str::to_owned))
            .collect();
        volumes.extend(hidden);
        // One of its own in the same place would be a second mount there.
        let own = service.get_mut("tmpfs").and_then(Value::as_array_mut);
        if let Some(own) = own {
            own.retain(|mount| {
                let target = mount.as_str().and_then(|text| text.split(':').next());
                !target.is_some_and(|target| {
                    let target = target.trim_end_matches('/');
                    targets.iter().any(|hidden| hidden == target)
                })
            });
        }
    }

    /// Does the same for volumes that are bound to a folder, and for the files of secrets and configs.
    fn resolve_paths(&self, model: &mut Model) {
        for (section, key) in [
            ("volumes", "/driver_opts/device"),
            ("secrets", "/file"),
            ("configs", "/file"),
        ] {
            let entries = model.top_mut().get_mut(section);
            let entries = entries.and_then(Value::as_object_mut).into_iter().flatten();
            for path in entries.filter_map(|(_, entry)| entry.pointer_mut(key)) {
                if let Some(real) = path.as_str().and_then(|path| self.real(path)) {
                    *path = real.into();
                }
            }
        }
    }

    /// A path without symlinks, as text.
    fn real(&self, path: &str) -> Option<String> {
        let real = self.folder.real(path)?;
        Some(real.to_str()?.to_owned())
    }

    /// Keeps `watch` from copying files of the private folder.
    fn keep_from_watching(&self, service: &mut Object) {
        let watched = service
            .get_mut("develop")
            .and_then(|develop| develop.get_mut("watch"))
            .and_then(Value::as_array_mut);
        for watched in watched
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
        {
            let path = watched.get("path").and_then(Value::as_str);
            if !path.is_some_and(|path| self.folder.is_root(path)) {
                continue;
            }
            let ignored = watched.entry("ignore").or_insert_with(|| json!([]));
            if let Some(ignored) = ignored.as_array_mut() {
                ignored.push(format!("{}/", layout::REPOSITORY_PRIVATE).into());
            }
        }
    }
}

/// Adds the names of all services, except those for which the service itself sets an address.
fn add_hosts(service: &mut Object, names: &BTreeMap<&str, Ipv4Addr>) {
    let hosts = service.entry("extra_hosts").or_insert_with(|| json!([]));
    let Some(hosts) = hosts.as_array_mut() else {
        return;
    };
    let own: Vec<String> = hosts
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|host| host.split(['=', ':']).next())
        .map(str::to_ascii_lowercase)
        .collect();
    for (name, address) in names {
        if !own.contains(&name.to_ascii_lowercase()) && !is_loopback_name(name) {
            hosts.push(format!("{name}={address}").into());
        }
    }
}

fn is_loopback_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    LOOPBACK_NAMES.contains(&name.as_str()) || name.ends_with(".localhost")
}

/// An object of a service, which is made if it does not exist.
fn mapping<'a>(service: &'a mut Object, key: &str) -> &'a mut Object {
    let value = service.entry(key).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Object::new());
    }
    value.as_object_mut().expect("it is one now")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn added(text: &str) -> (Model, Vec<String>) {
        let mut model = Model::parse(text).expect("a model");
        let names: Vec<String> = model.services().map(|(name, _)| name.to_owned()).collect();
        let mut slots = Slots::default();
        slots.assign(&names).expect("slots");
        let name = "shop".parse().expect("a name");
        let additions = Additions {
            id: NetworkId::try_from(2816).expect("an id"),
            name: Some(&name),
            slots: &slots,
            replicas: &Replicas::default(),
            folder: Folder(Path::new("/srv")),
        };
        let notes = additions.add_to(&mut model);
        (model, notes)
    }

    #[test]
    fn each_service_gets_network_labels_address_and_hosts() {
        let (model, notes) = added(
            r#"{"networks": {"default": {}}, "services": {
                "db": {"networks": {"default": null}, "build": {"context": "/srv/x"}},
                "web": {"network_mode": "host", "labels": {"a": "b", "rediacc.service_ip": "10.0.0.1"},
                        "environment": {"SERVICE_IP": "x", "A": "b"}, "extra_hosts": ["DB=10.1.1.1"]}}}"#,
        );
        assert_eq!(notes, Vec::<String>::new());
        let label = |name: &str, ip: &str| {
            json!({"rediacc.service_name": name, "rediacc.service_ip": ip,
                   "rediacc.network_id": "2816", "rediacc.repo_name": "shop"})
        };
        let db = json!({
            "network_mode": "host", "labels": label("db", "127.0.11.2"),
            "environment": {"SERVICE_IP": "127.0.11.2"},
            "extra_hosts": ["db=127.0.11.2", "web=127.0.11.3"],
            "build": {"context": "/srv/x", "network": "host"}
        });
        let mut web = json!({
            "network_mode": "host", "labels": label("web", "127.0.11.3"),
            "environment": {"SERVICE_IP": "127.0.11.3", "A": "b"},
            "extra_hosts": ["DB=10.1.1.1", "web=127.0.11.3"]
        });
        web["labels"]["a"] = "b".into();
        assert_eq!(Some(&db), model.service("db").map(|it| json!(it)).as_ref());
        assert_eq!(
            Some(&web),
            model.service("web").map(|it| json!(it)).as_ref()
        );
        assert_eq!(model.top().count(), 0);
    }

    #[test]
    fn nobody_takes_the_machines_own_name() {
        let (model, notes) =
            added(r#"{"services": {"localhost": {}, "a": {"network_mode": "none"}}}"#);
        let service = model.service("localhost").expect("it is there");
        assert_eq!(service["extra_hosts"], json!(["a=127.0.11.2"]));
        assert_eq!(notes.len(), 1);
        assert!(notes[0].contains("${LOCALHOST_IP}"), "{}", notes[0]);
        let alone = model.service("a").expect("it is there");
        assert!(!alone.contains_key("extra_hosts"));
        assert_eq!(alone["network_mode"], "none");
    }

    #[test]
    fn a_mount_of_the_whole_repository_hides_what_is_private() {
        let (model, _) = added(
            r#"{"services": {"a": {"volumes": [
                {"type": "bind", "source": "/srv", "target": "/app/"},
                {"type": "bind", "source": "/srv/x/..", "target": "/own"},
                {"type": "tmpfs", "target": "/own/.rediacc"},
                {"type": "bind", "source": "/srv/data", "target": "/data"}],
                "tmpfs": ["/app/.rediacc:size=1m", "/tmp"],
                "develop": {"watch": [{"path": "/srv", "action": "sync", "target": "/app"}]}}}}"#,
        );
        let service = model.service("a").expect("it is there");
        let volumes = service["volumes"].as_array().expect("a list");
        let hidden = json!({"type": "tmpfs", "target": "/app/.rediacc", "read_only": true});
        assert_eq!(volumes.last(), Some(&hidden));
        assert_eq!(volumes.len(), 5);
        assert_eq!(service["tmpfs"], json!(["/tmp"]));
        assert_eq!(
            service["develop"]["watch"][0]["ignore"],
            json!([".rediacc/"])
        );
    }
}
