//! What each machine is to be brought. Everything that the workstation can find wrong is found
//! here, before the first machine is touched.

use std::sync::Arc;

use secrecy::SecretString;

use super::{Push, PushInfra};
use crate::bundle::{Bundle, Secrets, Token};
use crate::cli::context::infra_options::tell_wrapping;
use crate::cli::context::render_infra::unrenderable;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::work::programs;
use crate::cli::work::remote_failure::Work;
use crate::context::value::TokenSource;
use crate::context::{Context, Infra};
use crate::push::Delivery;
use crate::render::{binds, render};

impl PushInfra {
    /// The pushes of all machines. The programs are read once for all of them.
    pub(super) fn pushes<'a>(
        &self,
        session: &Session,
        context: &Context,
        works: &'a [Work<'a>],
    ) -> Result<Vec<Push<'a>>, Failure> {
        let mut infras = Vec::new();
        for work in works {
            let infra = work.machine.infra.as_ref();
            let infra = infra.ok_or_else(|| Failure::no_infra(work.name))?;
            // The machine renders; what cannot be rendered is known before it is asked.
            render(infra, &binds(infra), infra.cf_dns_token.is_some())
                .map_err(|error| unrenderable(work.name, &error))?;
            infras.push(infra);
        }
        let tokens = self.tokens(session, works, &infras)?;
        for token in tokens.iter().flatten() {
            session.output.redactor().learn(token);
        }
        let renets = programs::renets(context)?;
        let renet = programs::renet(&renets)?;
        let traefik = self.traefik.program()?;
        let releases = programs::releases()?;
        let pushes = works.iter().zip(infras).zip(tokens);
        pushes
            .map(|((work, infra), token)| {
                let bundle = Bundle {
                    infra: Infra {
                        cf_dns_token: None,
                        ..infra.clone()
                    },
                    renet: renet.remote_path().into(),
                    traefik: self.traefik.source(traefik.as_ref(), infra)?,
                    sent_at: None,
                };
                let delivery = Delivery {
                    bundle,
                    secrets: Secrets {
                        cf_dns_token: token.map(Token),
                    },
                    renet: renet.clone(),
                    renets: renets.clone(),
                    traefik: traefik.clone(),
                    releases: Arc::clone(&releases),
                };
                Ok(Push { work, delivery })
            })
            .collect()
    }

    /// The machines' tokens, one after the other, since a command may ask for a passphrase; and
    /// each reference once, whatever the number of machines that name it.
    fn tokens(
        &self,
        session: &Session,
        works: &[Work<'_>],
        infras: &[&Infra],
    ) -> Result<Vec<Option<SecretString>>, Failure> {
        let mut resolved: Vec<(&TokenSource, SecretString)> = Vec::new();
        let mut tokens = Vec::new();
        for (work, infra) in works.iter().zip(infras) {
            let Some(source) = &infra.cf_dns_token else {
                tokens.push(None);
                continue;
            };
            let known = resolved.iter().find(|(known, _)| *known == source);
            let token = match known {
                Some((_, token)) => token.clone(),
                None => {
                    let found = source.resolve().map_err(Failure::from);
                    let of_machine = |failure: Failure| match self.fleet.is_one() {
                        true => failure,
                        false => failure.of(work.name),
                    };
                    let found = found.map_err(of_machine)?;
                    tell_wrapping(session, &found);
                    resolved.push((source, found.token.clone()));
                    found.token
                }
            };
            tokens.push(Some(token));
        }
        Ok(tokens)
    }
}
