//! The folder of context files: `$XDG_CONFIG_HOME/rediacc/<context>.toml`.
//!
//! A file is changed under a lock, written beside itself, synced and renamed: whoever reads it
//! sees the old text or the new one, and parallel changes lose nothing. A file that does not parse
//! is never written.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use rustix::fs::FlockOperation;

use super::value::{ContextName, MachineName};
use super::{Context, Machine, UnknownKey, file, keys};

/// The context files of one operator.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store of who runs the program.
    pub fn of_user() -> Result<Self, StoreError> {
        let base = etcetera::choose_base_strategy().map_err(|_| StoreError::NoHome)?;
        Ok(Self::at(base.config_dir().join("rediacc")))
    }

    /// The store in a folder, which need not exist yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Where a context's file lies, or would lie.
    pub fn path(&self, name: &ContextName) -> PathBuf {
        self.folder.join(format!("{name}.toml"))
    }

    /// The names of all contexts, in order.
    pub fn names(&self) -> Result<Vec<ContextName>, StoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("read", &self.folder, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| StoreError::io("read", &self.folder, error))?;
            let name = entry.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".toml"));
            // Other files of the folder are the operator's own business.
            names.extend(stem.and_then(|stem| stem.parse::<ContextName>().ok()));
        }
        names.sort();
        Ok(names)
    }

    /// Reads a context.
    pub fn load(&self, name: &ContextName) -> Result<Context, StoreError> {
        let (_, context) = self.read(name, &self.path(name))?;
        Ok(context)
    }

    /// The keys of a context's file that mean nothing; none where the file cannot be read, which
    /// `load` reports.
    pub fn unknown_keys(&self, name: &ContextName) -> Vec<UnknownKey> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        keys::unknown(&text)
    }

    /// Writes a new context.
    pub fn create(&self, context: &Context) -> Result<(), StoreError> {
        self.create_folder()?;
        let path = self.path(&context.name);
        let _lock = lock(&self.folder)?;
        // Also a dangling link counts as there: what it points to is not ours to choose.
        if path.symlink_metadata().is_ok() {
            return Err(StoreError::Exists(context.name.clone()));
        }
        write(
            &path,
            &file::create(context).map_err(StoreError::Unwritable)?,
        )
    }

    /// Changes a context under its lock and saves it; where `change` fails, nothing is written.
    pub fn edit<T, E: From<StoreError>>(
        &self,
        name: &ContextName,
        change: impl FnOnce(&mut Context) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = self.target(name)?;
        let _lock = lock(folder_of(&path))?;
        let (text, before) = self.read(name, &path)?;
        let mut after = before.clone();
        let done = change(&mut after)?;
        if after != before {
            let changed = file::change(&text, &before, &after).map_err(StoreError::Unwritable)?;
            write(&path, &changed)?;
        }
        Ok(done)
    }

    /// Removes a context's file.
    pub fn remove(&self, name: &ContextName) -> Result<(), StoreError> {
        let _lock = lock(folder_of(&self.target(name)?))?;
        let path = self.path(name);
        fs::remove_file(&path).map_err(|error| StoreError::io("remove", &path, error))
    }

    /// Takes a context's file away from others on the workstation. Answers whether they could
    /// read it until now.
    pub fn tighten(&self, name: &ContextName) -> Result<bool, StoreError> {
        let path = self.target(name)?;
        let io_error = |error| StoreError::io("restrict", &path, error);
        let mode = fs::metadata(&path).map_err(io_error)?.permissions().mode();
        let exposed = mode & 0o077 != 0;
        if exposed {
            fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(io_error)?;
        }
        Ok(exposed)
    }

    /// The file that holds a context: where the folder has a link, what it points to.
    fn target(&self, name: &ContextName) -> Result<PathBuf, StoreError> {
        let path = self.path(name);
        match fs::canonicalize(&path) {
            Ok(target) => Ok(target),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.missing(name)),
            Err(error) => Err(StoreError::io("open", &path, error)),
        }
    }

    fn read(&self, name: &ContextName, path: &Path) -> Result<(String, Context), StoreError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.missing(name)),
            Err(error) => return Err(StoreError::io("read", path, error)),
        };
        match file::parse(name, &text) {
            Ok(context) => Ok((text, context)),
            Err(fault) => Err(StoreError::Broken {
                path: path.to_owned(),
                line: fault.line,
                column: fault.column,
                problem: fault.problem,
            }),
        }
    }

    fn missing(&self, name: &ContextName) -> StoreError {
        StoreError::NoContext {
            name: name.clone(),
            others: self.names().unwrap_or_default(),
        }
    }

    fn create_folder(&self) -> Result<(), StoreError> {
        let io_error = |error| StoreError::io("create", &self.folder, error);
        if let Some(parent) = self.folder.parent() {
            fs::create_dir_all(parent).map_err(io_error)?;
        }
        match fs::DirBuilder::new().mode(0o700).create(&self.folder) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::set_permissions(&self.folder, Permissions::from_mode(0o700)).map_err(io_error)
            }
            Err(error) => Err(io_error(error)),
        }
    }
}

/// Why a context could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither `$XDG_CONFIG_HOME` nor a home folder is known.
    #[error("cannot tell where the configuration lies: no home folder is known")]
    NoHome,
    /// There is no such context.
    #[error("there is no context `{name}`")]
    NoContext {
        /// The name that was asked for.
        name: ContextName,
        /// The contexts that there are.
        others: Vec<ContextName>,
    },
    /// There is such a context already.
    #[error("there is a context `{0}` already")]
    Exists(ContextName),
    /// There is no such machine in the context.
    #[error("there is no machine `{name}` in the context `{context}`")]
    NoMachine {
        /// The name that was asked for.
        name: MachineName,
        /// The context that was searched.
        context: ContextName,
        /// The machines that it has.
        others: Vec<MachineName>,
    },
    /// The file is not a context.
    #[error("{}:{line}:{column}: {problem}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A value cannot be written as TOML: a path that is not UTF-8.
    #[error("cannot write the context as TOML")]
    Unwritable(#[source] toml_edit::ser::Error),
    /// The system refused.
    #[error("cannot {act} {}", path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl StoreError {
    fn io(act: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            act,
            path: path.to_owned(),
            source,
        }
    }
}

impl Context {
    /// A machine of the context, by its name.
    pub fn machine(&self, name: &MachineName) -> Result<&Machine, StoreError> {
        self.machines.get(name).ok_or_else(|| self.no_machine(name))
    }

    /// A machine of the context, to be changed.
    pub fn machine_mut(&mut self, name: &MachineName) -> Result<&mut Machine, StoreError> {
        let missing = self.no_machine(name);
        self.machines.get_mut(name).ok_or(missing)
    }

    /// That the context has no machine of this name.
    pub fn no_machine(&self, name: &MachineName) -> StoreError {
        StoreError::NoMachine {
            name: name.clone(),
            context: self.name.clone(),
            others: self.machines.keys().cloned().collect(),
        }
    }
}

/// Locks a folder against other `rdc`s until the answer is dropped.
fn lock(folder: &Path) -> Result<File, StoreError> {
    // The folder itself is locked: a lock file could not be removed without a race.
    let io_error = |error: io::Error| StoreError::io("lock", folder, error);
    let folder = File::open(folder).map_err(io_error)?;
    rustix::io::retry_on_intr(|| rustix::fs::flock(&folder, FlockOperation::LockExclusive))
        .map_err(|error| io_error(error.into()))?;
    Ok(folder)
}

/// Replaces a file's text in one step that survives a crash.
fn write(path: &Path, text: &str) -> Result<(), StoreError> {
    let folder = folder_of(path);
    let replace = || -> io::Result<()> {
        // A temporary file is created with mode 0600.
        let mut temporary = tempfile::Builder::new()
            .prefix(".rdc-")
            .suffix(".tmp")
            .tempfile_in(folder)?;
        temporary.write_all(text.as_bytes())?;
        temporary.as_file().sync_all()?;
        temporary.persist(path)?;
        File::open(folder)?.sync_all()
    };
    replace().map_err(|error| StoreError::io("write", path, error))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}
