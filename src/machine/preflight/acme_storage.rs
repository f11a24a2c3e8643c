//! The file with the certificates' keys. Traefik refuses it unless it is for its owner alone, and
//! then runs on without certificates: so that it is looked at before, and mended. A file that Traefik
//! could not use is never touched: what to do with it is the operator's to say.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::Builder;

use super::ProxyUser;
use super::findings::Findings;
use crate::bundle::Failure;
use crate::layout;
use crate::machine::acme_storage::{
    self, Import, Opened, Storage, Stored, Unusable, importable, merged,
};
use crate::machine::{failed, files};

/// The only mode that Traefik takes.
const MODE: u32 = 0o600;
/// Where a storage lies whose certificates the next push imports: in Traefik's own folder, which
/// nobody else can read.
const OFFERED: &str = "/var/lib/rediacc/proxy/acme-import.json";
/// Where it comes to lie afterwards.
const IMPORTED: &str = "/var/lib/rediacc/proxy/acme-imported";
/// How many names are given of many.
const NAMED: usize = 5;

/// What a push does to the storage on the way. Traefik reads it at its start only.
#[derive(Debug, Default)]
pub(in crate::machine) struct Mending {
    /// Where its mode or its owner is wrong.
    access: Option<Access>,
    /// What is added to it.
    imports: Vec<Import>,
    owner: Option<ProxyUser>,
}

/// A file that is given to Traefik, and to Traefik alone.
#[derive(Debug)]
struct Access {
    opened: Opened,
    owner: Option<ProxyUser>,
}

impl Mending {
    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.access.is_none() && self.imports.is_empty()
    }

    /// Mends it.
    pub(in crate::machine) fn carry_out(&self) -> Result<(), Failure> {
        let cannot =
            |error: io::Error| failed(format!("cannot mend {}: {error}", layout::ACME_STORAGE));
        if let Some(access) = &self.access {
            access.mend().map_err(cannot)?;
        }
        if self.imports.is_empty() {
            return Ok(());
        }
        let json = files::read(Path::new(layout::ACME_STORAGE))?.unwrap_or_default();
        let json = merged(&json, &self.imports)
            .map_err(|unusable| failed(format!("{} {unusable}", layout::ACME_STORAGE)))?;
        write(&json, self.owner).map_err(cannot)
    }

    /// Puts the file whose certificates were imported out of the way of the next push. A Traefik that
    /// ran meanwhile may have overwritten them: then the file stays, and the next push imports them.
    pub(in crate::machine) fn finish(&self) -> Result<Vec<String>, Failure> {
        if self.imports.is_empty() {
            return Ok(Vec::new());
        }
        let storage = match acme_storage::open(layout::ACME_STORAGE)? {
            Some(opened) => opened.storage(layout::ACME_STORAGE)?.unwrap_or_default(),
            None => Storage::default(),
        };
        let now = SystemTime::now();
        if !self
            .imports
            .iter()
            .all(|import| import.is_in(&storage, now))
        {
            return Ok(vec![format!(
                "Traefik wrote {} meanwhile: push again to import the certificates of {OFFERED}",
                layout::ACME_STORAGE
            )]);
        }
        files::rename(Path::new(OFFERED), &free_name())?;
        Ok(Vec::new())
    }
}

/// A name that no file has: an earlier import must not be lost.
fn free_name() -> PathBuf {
    let mut names = (1..).map(|number| PathBuf::from(format!("{IMPORTED}-{number}.json")));
    let free = names.find(|path| path.symlink_metadata().is_err());
    free.unwrap_or_else(|| format!("{IMPORTED}.json").into())
}

impl Access {
    fn mend(&self) -> io::Result<()> {
        // Of the file that was looked at, whatever lies at its path by now.
        let Opened { file, .. } = &self.opened;
        file.set_permissions(Permissions::from_mode(MODE))?;
        match self.owner {
            Some(ProxyUser { uid, gid }) => fchown(file, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }
}

/// Writes the storage as a whole, for its owner alone from the first byte on.
fn write(json: &[u8], owner: Option<ProxyUser>) -> io::Result<()> {
    let path = Path::new(layout::ACME_STORAGE);
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = Builder::new()
        .prefix(".rediacc-")
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)?;
    file.write_all(json)?;
    if let Some(ProxyUser { uid, gid }) = owner {
        fchown(file.as_file(), Some(uid), Some(gid))?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    files::sync_dir(folder)
}

/// Looks at the file, and says what is wrong with it and what will be done. The user is there
/// after the first push only; until then systemd gives the folder to it with all that is in it.
pub(super) fn examine(
    user: Option<ProxyUser>,
    findings: &mut Findings,
) -> Result<Mending, Failure> {
    let path = layout::ACME_STORAGE;
    let Some(opened) = acme_storage::open(path)? else {
        let imports = imports(&Storage::default(), findings)?;
        return Ok(Mending {
            imports,
            owner: user,
            ..Mending::default()
        });
    };
    if !opened.is_file() {
        findings.problem(
            format!("{path} is not a file: Traefik cannot keep certificates there"),
            format!("see what it is by `ls -ld {path}` on the machine, and move it away"),
        );
        return Ok(Mending::default());
    }
    let storage = match opened.storage(path)? {
        Ok(storage) => storage,
        Err(unusable) => {
            findings.problem(
                format!("{path} {unusable}: Traefik could not serve the certificates in it"),
                remedy(&unusable),
            );
            return Ok(Mending::default());
        }
    };
    if opened.is_link {
        // Somebody's own arrangement: nothing is written there.
        return Ok(Mending::default());
    }
    unused(&storage, findings);
    let imports = imports(&storage, findings)?;
    Ok(Mending {
        access: access(opened, user, findings),
        imports,
        owner: user,
    })
}

/// What can be done with a file that Traefik cannot use: nothing in it is lost.
fn remedy(unusable: &Unusable) -> String {
    let path = layout::ACME_STORAGE;
    let aside = |ending: &str| format!("`mv --backup=numbered {path} {path}.{ending}`");
    let anew = "certificates are obtained anew";
    match unusable {
        Unusable::Damaged { .. } | Unusable::Twice => {
            format!("{} on the machine, and {anew}", aside("damaged"))
        }
        Unusable::TraefikOne(stored) => {
            let aside = aside("traefik-1");
            let storage = Storage::default();
            let imports = importable(stored.iter(), &storage, SystemTime::now());
            if imports.is_empty() {
                return format!(
                    "no certificate in it is valid any more: {aside} on the machine, and {anew}"
                );
            }
            format!(
                "`mv {path} {OFFERED}` on the machine, and the next push imports what is still valid \
                 ({}); {aside} sets it aside, and {anew}",
                named(&imports)
            )
        }
        Unusable::Pem => format!(
            "{} on the machine, and name it in a file of {} to have it served; {anew}",
            aside("pem"),
            layout::DYNAMIC_DIR
        ),
        Unusable::Whole(_) | Unusable::Resolver(_) | Unusable::TooLarge(_) => {
            format!(
                "{} on the machine sets it aside, and {anew}",
                aside("foreign")
            )
        }
    }
}

/// Warns of certificates that Traefik keeps and does not serve: they are another resolver's, or of
/// another store.
fn unused(storage: &Storage, findings: &mut Findings) {
    let unused = importable(storage.unused(), storage, SystemTime::now());
    if unused.is_empty() || Path::new(OFFERED).exists() {
        return;
    }
    let path = layout::ACME_STORAGE;
    findings.warning(format!(
        "{path} holds valid certificates that Traefik does not serve ({}): they are not in the default \
         store of the resolver `{}`; `cp --preserve {path} {OFFERED}` on the machine, and the next push \
         imports them",
        named(&unused),
        layout::CERT_RESOLVER
    ));
}

/// The certificates that were offered and are worth importing.
fn imports(current: &Storage, findings: &mut Findings) -> Result<Vec<Import>, Failure> {
    let Some(opened) = acme_storage::open(OFFERED)? else {
        return Ok(Vec::new());
    };
    let away = || format!("`mv {OFFERED} /root/` on the machine keeps it out of the way");
    if !opened.is_file() || opened.is_link {
        findings.problem(format!("{OFFERED} is not a file"), away());
        return Ok(Vec::new());
    }
    let offered: Vec<Stored> = match opened.storage(OFFERED)? {
        Ok(storage) => storage
            .certificates()
            .map(|(_, stored)| stored.clone())
            .collect(),
        Err(Unusable::TraefikOne(stored)) => stored,
        Err(unusable) => {
            findings.problem(
                format!("{OFFERED} {unusable}: nothing can be imported from it"),
                away(),
            );
            return Ok(Vec::new());
        }
    };
    let imports = importable(offered.iter(), current, SystemTime::now());
    if imports.is_empty() {
        findings.warning(format!(
            "there is nothing to import from {OFFERED}: each certificate in it has expired, lacks its \
             key, or has a valid one in {}; {}",
            layout::ACME_STORAGE,
            away()
        ));
    } else {
        findings.warning(format!(
            "the push imports certificates from {OFFERED} ({}), and keeps it as {IMPORTED}-N.json",
            named(&imports)
        ));
    }
    Ok(imports)
}

/// The names of certificates, the first few of many.
fn named(imports: &[Import]) -> String {
    let names: Vec<&str> = imports
        .iter()
        .flat_map(Import::names)
        .map(String::as_str)
        .collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", names[..names.len().min(NAMED)].join(", "))
}

/// What is wrong with the file's mode and owner.
fn access(opened: Opened, user: Option<ProxyUser>, findings: &mut Findings) -> Option<Access> {
    let path = layout::ACME_STORAGE;
    let mode = opened.metadata.mode() & 0o7777;
    let owner = user.filter(|user| user.uid != opened.metadata.uid());
    let wrong = wrong(mode, owner.map(|_| opened.metadata.uid()))?;
    // Of a file with a second name it is not known what else it is.
    if opened.metadata.nlink() > 1 {
        findings.problem(
            format!("{path} {wrong}, and it has another name elsewhere"),
            format!(
                "`cp {path} {path}.own && mv {path}.own {path}` on the machine makes it one file"
            ),
        );
        return None;
    }
    findings.warning(format!(
        "{path} {wrong}, and Traefik would run without certificates: the push makes it 0600 and \
         Traefik's own"
    ));
    Some(Access { opened, owner })
}

/// What is wrong with a mode and with an owner who is not Traefik's user.
fn wrong(mode: u32, foreign_owner: Option<u32>) -> Option<String> {
    match (mode == MODE, foreign_owner) {
        (true, None) => None,
        (false, None) => Some(format!("has mode {mode:04o}")),
        (true, Some(owner)) => Some(format!("belongs to user {owner}")),
        (false, Some(owner)) => Some(format!("has mode {mode:04o} and belongs to user {owner}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_mode_of_the_one_owner_is_right() {
        for (mode, owner, expected) in [
            (0o600, None, None),
            (0o644, None, Some("has mode 0644")),
            (0o400, None, Some("has mode 0400")),
            (0o600, Some(0), Some("belongs to user 0")),
            (0o640, Some(0), Some("has mode 0640 and belongs to user 0")),
        ] {
            assert_eq!(wrong(mode, owner).as_deref(), expected);
        }
    }
}
