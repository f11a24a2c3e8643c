//! What every verb works on: the output, the store, and the chosen context.

use crate::context::Context;
use crate::context::store::{Store, StoreError};
use crate::context::value::ContextName;

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
}

impl Session {
    pub(crate) fn new(output: Output, context: ContextName) -> Result<Self, Failure> {
        Ok(Self {
            output,
            store: Store::of_user()?,
            context,
        })
    }

    /// Reads the chosen context.
    pub(crate) fn load(&self) -> Result<Context, Failure> {
        self.tighten();
        let context = self.store.load(&self.context)?;
        self.output.redactor().learn_all(&context);
        Ok(context)
    }

    /// Changes the chosen context and saves it; where `change` fails, nothing is written.
    pub(crate) fn edit<T>(
        &self,
        change: impl FnOnce(&mut Context) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.tighten();
        self.store.edit(&self.context, |context| {
            let redactor = self.output.redactor();
            redactor.learn_all(context);
            let changed = change(context);
            redactor.learn_all(context);
            changed
        })
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
