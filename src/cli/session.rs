//! What every verb works on: the output, the store, and the chosen context.

use std::cell::Cell;

use crate::context::store::{Store, StoreError};
use crate::context::value::ContextName;
use crate::context::{Context, Meant, UnknownKey};

use super::failure::Failure;
use super::output::Output;

/// One run of `rdc`.
#[derive(Debug)]
pub(crate) struct Session {
    /// How to print.
    pub(crate) output: Output,
    /// The operator's context files.
    pub(crate) store: Store,
    /// The context that was chosen.
    pub(crate) context: ContextName,
    /// Whether the file was looked at: a command may read it more than once.
    is_looked_at: Cell<bool>,
}

impl Session {
    pub(crate) fn new(output: Output, context: ContextName) -> Result<Self, Failure> {
        Ok(Self {
            output,
            store: Store::of_user()?,
            context,
            is_looked_at: Cell::new(false),
        })
    }

    /// Reads the chosen context.
    pub(crate) fn load(&self) -> Result<Context, Failure> {
        self.look_at_file();
        let context = self.store.load(&self.context)?;
        self.output.redactor().learn_all(&context);
        Ok(context)
    }

    /// Changes the chosen context and saves it; where `change` fails, nothing is written.
    pub(crate) fn edit<T>(
        &self,
        change: impl FnOnce(&mut Context) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.look_at_file();
        self.store.edit(&self.context, |context| {
            let redactor = self.output.redactor();
            redactor.learn_all(context);
            let changed = change(context);
            redactor.learn_all(context);
            changed
        })
    }

    fn look_at_file(&self) {
        if !self.is_looked_at.replace(true) {
            self.tighten();
            self.warn_of_unknown_keys();
        }
    }

    /// Names the keys that say nothing, which may be misspelt: they are kept, and not heard.
    fn warn_of_unknown_keys(&self) {
        let file = self.store.path(&self.context);
        for unknown in self.store.unknown_keys(&self.context) {
            let UnknownKey {
                line,
                key,
                table,
                meant,
            } = unknown;
            // A key in quotes may hold anything.
            let key = key.escape_debug();
            let place = table.map_or(String::new(), |table| format!(" in [{table}]"));
            let meant = match meant {
                Some(Meant::Key(known)) => format!("; did you mean `{known}`?"),
                Some(Meant::Table(table)) => format!("; it belongs in [{table}]"),
                None => String::new(),
            };
            self.output.warn(&format!(
                "{}:{line}: the key `{key}`{place} is not known, and its value is not used{meant}",
                file.display()
            ));
        }
    }

    /// Takes the file away from others, who may have read a token in it.
    fn tighten(&self) {
        let path = self.store.path(&self.context);
        match self.store.tighten(&self.context) {
            Ok(false) | Err(StoreError::NoContext { .. }) => {}
            Ok(true) => self.output.warn(&format!(
                "others on this workstation could read {}; it is now for you alone",
                path.display()
            )),
            Err(error) => self.output.warn(&Failure::from(error).message),
        }
    }
}
