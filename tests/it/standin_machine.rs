//! A workstation with a stand-in of a machine: the scripts of a push run on this host, below a
//! folder of their own (`tests/standins/machine`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::rdc::{Answer, Rdc};

/// A workstation whose machine `server-1` is a folder.
pub(crate) struct Workbench {
    pub(crate) rdc: Rdc,
    release_site: String,
}

impl Workbench {
    /// A workstation that downloads from a site, with a `renet` for its own architecture, and a
    /// machine that has nothing.
    pub(crate) fn new(release_site: &str) -> Self {
        let bench = Self {
            rdc: Rdc::new(),
            release_site: release_site.to_owned(),
        };
        for folder in ["machine/bin", "programs"] {
            fs::create_dir_all(bench.rdc.path(folder)).expect("a folder");
        }
        let renet = bench.local("renet", &program(OWN, 1000));
        let key = bench.rdc.path("key");
        let create = ["context", "create-local", "default", "--ssh-key"];
        let paths = [text(&key), "--renet-path", text(&renet)];
        bench.rdc.run(&[&create[..], &paths].concat()).done();
        let add = ["context", "add-machine", "server-1", "--local"];
        bench.rdc.run(&add).done();
        let infra = ["context", "set-infra", "server-1"];
        let address = ["--public-ipv4", "203.0.113.50"];
        bench.rdc.run(&[&infra[..], &address].concat()).done();
        bench
    }

    /// Runs `rdc context push-infra server-1` with options.
    pub(crate) fn push(&self, options: &[&str]) -> Answer {
        self.push_with(options, &[])
    }

    /// The same with something in its environment.
    pub(crate) fn push_with(&self, options: &[&str], env: &[(&str, &str)]) -> Answer {
        let push = ["-v", "context", "push-infra", "server-1"];
        let mut command = self.rdc.command(&[&push[..], options].concat());
        command.envs(self.surroundings()).envs(env.iter().copied());
        command.output().expect("rdc runs").into()
    }

    /// What a push needs in its environment to come to the machine.
    pub(crate) fn surroundings(&self) -> [(&'static str, String); 4] {
        let standins = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standins/machine");
        let path = std::env::var("PATH").expect("a PATH");
        [
            ("PATH", format!("{}:{path}", standins.display())),
            ("MACHINE", text(&self.rdc.path("machine")).to_owned()),
            ("XDG_CACHE_HOME", text(&self.rdc.path("cache")).to_owned()),
            ("REDIACC_TRAEFIK_RELEASES", self.release_site.clone()),
        ]
    }

    /// A program on the workstation.
    pub(crate) fn local(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.rdc.path("programs").join(name);
        fs::write(&path, content).expect("it is written");
        path
    }

    /// A command of the machine's own.
    pub(crate) fn command(&self, name: &str, script: &str) {
        let path = self.machine("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    /// A path of the machine below its folder of programs.
    pub(crate) fn machine(&self, path: &str) -> PathBuf {
        self.rdc.path("machine").join(path)
    }

    /// The files below a folder of the workstation or the machine, hidden ones too.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let root = self.rdc.path(folder);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let path = path.strip_prefix(&root).expect("a path below");
                    found.push(path.display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    /// How many scripts ran on the machine since the last time.
    pub(crate) fn commands(&self) -> usize {
        let path = self.machine("commands");
        let count = fs::read_to_string(&path)
            .unwrap_or_default()
            .lines()
            .count();
        let _ = fs::remove_file(path);
        count
    }
}

/// An ELF header's word for the architecture of this host.
pub(crate) const OWN: u8 = if cfg!(target_arch = "aarch64") {
    AARCH64
} else {
    X86_64
};
/// An ELF header's word for Intel and AMD.
pub(crate) const X86_64: u8 = 0x3E;
/// An ELF header's word for ARM.
pub(crate) const AARCH64: u8 = 0xB7;

/// A program of some bytes that do not compress, no two sizes alike.
pub(crate) fn program(machine: u8, bytes: usize) -> Vec<u8> {
    let mut content = vec![0x7f, b'E', b'L', b'F', 2, 1];
    content.resize(18, 0);
    content.extend([machine, 0]);
    let mut state = bytes as u64 ^ 0x9E37_79B9_7F4A_7C15;
    while content.len() < bytes {
        // Xorshift: what follows looks like nothing that came before.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend(state.to_le_bytes());
    }
    content.truncate(bytes);
    content
}

/// A path as a word of a command.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
