//! A context's text, TOML: parsed into a `Context`, and changed with everything left alone that
//! did not change, comments and unknown keys included.
//!
//! Pure: `store` reads and writes the text. Here alone a literal token is written out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::value::{ContextName, MachineName, TokenSource};
use super::{Context, Infra, Machine, MachineFields, default_datastore};

/// Why a text is not a context, and where. The text itself is not quoted: it may hold a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) problem: String,
}

/// Reads a context.
pub(super) fn parse(name: &ContextName, text: &str) -> Result<Context, Fault> {
    let Fields {
        ssh_key,
        renet_path,
        machines,
    } = toml_edit::de::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or_default();
        Fault {
            line: before.matches('\n').count() + 1,
            column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
            problem: error.message().replace('\n', ": "),
        }
    })?;
    Ok(Context {
        name: name.clone(),
        ssh_key,
        renet_path,
        machines,
    })
}

/// The text of a new context.
pub(super) fn create(context: &Context) -> Result<String, toml_edit::ser::Error> {
    let mut document = DocumentMut::new();
    let after = tables(context)?;
    carry(document.as_table_mut(), &defaults(context, None)?, &after);
    Ok(document.to_string())
}

/// The text after a change: only what differs between `before`, which the text was parsed into,
/// and `after` is touched.
pub(super) fn change(
    text: &str,
    before: &Context,
    after: &Context,
) -> Result<String, toml_edit::ser::Error> {
    // It was parsed once already, so it is a document.
    let mut document: DocumentMut = text.parse().unwrap_or_default();
    let known = defaults(after, Some(before))?;
    carry(document.as_table_mut(), &known, &tables(after)?);
    Ok(document.to_string())
}

/// A context without its name, which is the file's.
#[derive(Serialize, Deserialize)]
pub(super) struct Fields {
    ssh_key: PathBuf,
    renet_path: Option<PathBuf>,
    #[serde(default)]
    machines: BTreeMap<MachineName, Machine>,
}

/// A context as tables, with the token written out.
fn tables(context: &Context) -> Result<Table, toml_edit::ser::Error> {
    let fields = Fields {
        ssh_key: context.ssh_key.clone(),
        renet_path: context.renet_path.clone(),
        machines: context.machines.clone(),
    };
    let mut document = toml_edit::ser::to_document(&fields)?;
    for (name, machine) in &context.machines {
        let token = machine.infra.as_ref().and_then(|i| i.cf_dns_token.as_ref());
        if let Some(TokenSource::Literal(token)) = token {
            let infra = [("machines"), name.as_str(), "infra"]
                .into_iter()
                .try_fold(document.as_item_mut(), |item, key| item.get_mut(key));
            if let Some(infra) = infra.and_then(Item::as_table_like_mut) {
                infra.insert("cf_dns_token", toml_edit::value(token.expose_secret()));
            }
        }
    }
    Ok(document.as_table().clone())
}

/// What a file says, or need not say: `before`, and the defaults of each machine and infra that
/// `after` adds to it. What equals a default is then never written.
fn defaults(after: &Context, before: Option<&Context>) -> Result<Table, toml_edit::ser::Error> {
    let mut known = match before {
        Some(before) => tables(before)?,
        None => Table::new(),
    };
    let machine_defaults = MachineFields {
        ip: None,
        user: None,
        port: Some(super::Reach::SSH_PORT),
        ssh_config_host: None,
        local: false,
        datastore: default_datastore(),
        host_keys: Vec::new(),
        infra: None,
    };
    let machines = known.entry("machines").or_insert(Item::Table(Table::new()));
    for name in after.machines.keys() {
        if machines.get(name.as_str()).is_none() {
            let defaults = toml_edit::ser::to_document(&machine_defaults)?;
            machines[name.as_str()] = defaults.as_item().clone();
        }
        if machines[name.as_str()].get("infra").is_none() {
            let defaults = toml_edit::ser::to_document(&Infra::default())?;
            machines[name.as_str()]["infra"] = defaults.as_item().clone();
        }
    }
    Ok(known)
}

/// Carries into a document what changed from `before` to `after`.
fn carry(document: &mut dyn TableLike, before: &dyn TableLike, after: &dyn TableLike) {
    for (key, _) in before.iter() {
        if !after.contains_key(key) {
            document.remove(key);
        }
    }
    for (key, value) in after.iter() {
        let known = before.get(key);
        if let Some(table) = value.as_table_like() {
            // An empty table says nothing: none is written, and none is left behind.
            if table.is_empty() {
                document.remove(key);
                continue;
            }
            if document.get(key).and_then(Item::as_table_like).is_none() {
                let mut new = Table::new();
                // `[machines]` alone says nothing that `[machines.server-1]` does not.
                new.set_implicit(key == "machines");
                document.insert(key, Item::Table(new));
            }
            let empty = Table::new();
            let known = known.and_then(Item::as_table_like).unwrap_or(&empty);
            if let Some(document) = document.get_mut(key).and_then(Item::as_table_like_mut) {
                carry(document, known, table);
            }
        } else if known.map(ToString::to_string) != Some(value.to_string()) {
            set(document, key, value.clone());
        }
    }
}

/// Sets a value and keeps the comment behind it.
fn set(document: &mut dyn TableLike, key: &str, mut item: Item) {
    if let Some(old) = document.get_mut(key) {
        if let (Some(old), Some(new)) = (old.as_value(), item.as_value_mut()) {
            *new.decor_mut() = old.decor().clone();
        }
        *old = item;
    } else {
        document.insert(key, item);
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Quotas;
    use super::*;

    const TEXT: &str = r#"# my servers
ssh_key = "/k" # the good one
colour = "blue"

[machines.b]
ip = "203.0.113.50"
user = "root"
note = "in the cellar"

# what it serves
[machines.b.infra]
public_ipv4 = "203.0.113.50"   # fixed
base_domain = "Example.COM."
cf_dns_token = "s3cret"
tcp_ports = [25, "10100-10102"] # mail
"#;

    fn name() -> ContextName {
        "default".parse().expect("a name")
    }

    fn changed(text: &str, change: impl FnOnce(&mut Context)) -> String {
        let before = parse(&name(), text).expect("a context");
        let mut after = before.clone();
        change(&mut after);
        let text = super::change(text, &before, &after).expect("it is written");
        assert_eq!(parse(&name(), &text), Ok(after), "{text}");
        text
    }

    fn infra<'a>(context: &'a mut Context, machine: &str) -> &'a mut Infra {
        let name = machine.parse().expect("a name");
        let machine = context.machines.get_mut(&name).expect("a machine");
        machine.infra.get_or_insert_default()
    }

    #[test]
    fn what_does_not_change_is_left_as_it_stands() {
        assert_eq!(changed(TEXT, |_| {}), TEXT);
    }

    #[test]
    fn one_changed_value_is_one_changed_line() {
        let text = changed(TEXT, |context| {
            infra(context, "b").public_ipv4 = Some([203, 0, 113, 51].into());
            infra(context, "b").tcp_ports = "25".parse().expect("ports");
        });
        let expected = TEXT
            .replace("\"203.0.113.50\"   # fixed", "\"203.0.113.51\"   # fixed")
            .replace("[25, \"10100-10102\"] # mail", "[25] # mail");
        assert_eq!(text, expected);
    }

    #[test]
    fn a_value_goes_and_another_comes() {
        let text = changed(TEXT, |context| {
            infra(context, "b").base_domain = None;
            infra(context, "b").auto_routes = false;
        });
        let expected =
            TEXT.replace("base_domain = \"Example.COM.\"\n", "") + "auto_routes = false\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_new_machine_and_its_infra_say_only_what_is_not_the_default() {
        let text = changed(TEXT, |context| {
            let machine = context.machines.values().next().expect("one").clone();
            let name: MachineName = "a.1".parse().expect("a name");
            context.machines.insert(name, machine);
            infra(context, "a.1").tcp_ports = "25".parse().expect("ports");
        });
        let expected = TEXT.to_owned()
            + r#"
[machines."a.1"]
ip = "203.0.113.50"
user = "root"

[machines."a.1".infra]
public_ipv4 = "203.0.113.50"
base_domain = "example.com"
cf_dns_token = "s3cret"
tcp_ports = [25]
"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn a_removed_machine_leaves_the_others() {
        let text = changed(TEXT, |context| context.machines.clear());
        assert_eq!(
            text,
            "# my servers\nssh_key = \"/k\" # the good one\ncolour = \"blue\"\n"
        );
    }

    #[test]
    fn inline_tables_are_changed_in_place() {
        let text = "ssh_key = \"/k\"\nmachines = { b = { ssh_config_host = \"b\" } }\n";
        let text = changed(text, |context| infra(context, "b").auto_routes = false);
        assert!(text.contains("infra = { auto_routes = false }"), "{text}");
    }

    #[test]
    fn grants_have_tables_of_their_own_which_go_with_the_last_grant() {
        let owners = |context: &mut Context, lists: &[&str]| {
            let lists = lists.iter().map(|list| list.parse().expect(list)).collect();
            let infra = infra(context, "b");
            infra.owners = infra.owners.clone().with(lists).expect("grants");
        };
        let granted = changed(TEXT, |context| {
            owners(context, &["2816=shop.example.org,tcp-25", "host=*"]);
            infra(context, "b").quotas =
                Quotas::default().with(vec!["2880=3".parse().expect("a quota")]);
        });
        let tables = r#"
[machines.b.infra.owners]
2816 = ["shop.example.org", "tcp-25"]
host = ["*"]

[machines.b.infra.quotas]
2880 = 3
"#;
        assert_eq!(granted, TEXT.to_owned() + tables);

        let noted = granted.replace("host =", "# the catch-all\nhost =");
        let fewer = changed(&noted, |context| owners(context, &["2816="]));
        assert_eq!(
            fewer,
            noted.replace("2816 = [\"shop.example.org\", \"tcp-25\"]\n", "")
        );
        let none = changed(&fewer, |context| {
            owners(context, &["host="]);
            infra(context, "b").quotas = Quotas::default();
        });
        assert_eq!(none, TEXT);
    }

    #[test]
    fn wrong_grants_are_named_by_their_place() {
        let tables = "\n[machines.b.infra.owners]\n2816 = [\"a.example.org\"]\n";
        let text = TEXT.to_owned() + tables;
        let quotas = format!("{TEXT}[machines.b.infra.quotas]\n2816 = 3\n");
        for (broken, line, column, said) in [
            (
                text.replace("a.example", "http://a"),
                18,
                8,
                "cannot be granted",
            ),
            (text.replace("2816 =", "2817 ="), 18, 1, "not a network id"),
            (
                text.replace("2816 =", "\"02816\" ="),
                18,
                1,
                "not a network id",
            ),
            (text.replace("[\"a.example.org\"]", "7"), 18, 8, "sequence"),
            (text.replace("a.example.org", "tcp-443"), 17, 1, "taken by"),
            (
                text.clone() + "2880 = [\"*\"]\nhost = [\"*\"]\n",
                17,
                1,
                "`*` is granted to 2880 and to host",
            ),
            (
                text.replace("a.example.org", "*.example.com"),
                11,
                1,
                "`*.example.com` cannot be granted",
            ),
            (quotas.replace("= 3", "= 0"), 17, 8, "0 is no factor"),
            (quotas.replace("= 3", "= \"3\""), 17, 8, "expected i64"),
        ] {
            let fault = parse(&name(), &broken).expect_err(&broken);
            assert_eq!((fault.line, fault.column), (line, column), "{fault:?}");
            assert!(fault.problem.contains(said), "{fault:?}");
        }
    }

    #[test]
    fn a_fault_is_named_by_its_place_and_never_quotes_the_token() {
        let token = "cf_dns_token = \"s3cret\"";
        for (broken, line, column) in [
            (TEXT.replace(token, "cf_dns_token = s3cret"), 14, 16),
            (TEXT.replace(token, "cf_dns_token = \"s3cret"), 14, 23),
            (TEXT.replace(token, "cf_dns_token = \"s3 cret\""), 14, 16),
            (TEXT.replace(token, "cf_dns_token = [\"s3cret\"]"), 14, 16),
            (TEXT.replace("Example.COM.", "x"), 13, 15),
            (TEXT.replace("[25,", "[80,"), 15, 13),
            (TEXT.replace("user = \"root\"\n", ""), 5, 1),
            (TEXT.replace("ssh_key", "ssh-key"), 1, 1),
        ] {
            let fault = parse(&name(), &broken).expect_err(&broken);
            assert_eq!((fault.line, fault.column), (line, column), "{fault:?}");
            assert!(!fault.problem.contains("s3"), "{fault:?}");
        }
    }
}
