//! Middlewares as they are shown: by their types, with what is declared here of their values.

use serde::Serialize;
use serde_json::{Map, Value};

/// The values that are shown: numbers, schemes, ranges of addresses, names of our own. All others
/// may be, or hold, what somebody must not know.
const SHOWN: [(&str, &[&str]); 12] = [
    (
        "buffering",
        &[
            "maxRequestBodyBytes",
            "memRequestBodyBytes",
            "maxResponseBodyBytes",
            "memResponseBodyBytes",
        ],
    ),
    ("chain", &["middlewares"]),
    ("compress", &["minResponseBodyBytes"]),
    ("errors", &["service"]),
    ("inFlightConn", &["amount"]),
    ("inFlightReq", &["amount"]),
    ("ipAllowList", &["sourceRange"]),
    ("ipWhiteList", &["sourceRange"]),
    ("rateLimit", &["average", "burst", "period"]),
    ("redirectScheme", &["scheme", "port", "permanent"]),
    ("retry", &["attempts", "initialInterval"]),
    ("stripPrefix", &["forceSlash"]),
];

/// Each type of a middleware, with its values as far as they are shown.
pub(super) fn middleware(middleware: &impl Serialize) -> Map<String, Value> {
    let Ok(Value::Object(types)) = serde_json::to_value(middleware) else {
        return Map::new();
    };
    let shown = types.into_iter().map(|(kind, options)| {
        let declared = SHOWN.iter().find(|(other, _)| *other == kind);
        let names = declared.map_or(&[][..], |(_, names)| names);
        let options = match options {
            Value::Object(options) => options,
            _ => Map::new(),
        };
        let options = options
            .into_iter()
            .filter(|(name, _)| names.contains(&name.as_str()));
        (kind, Value::Object(options.collect()))
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_declared_is_shown() {
        for (whole, shown) in [
            (
                json!({"basicAuth": {"users": ["a:b"], "realm": "r", "removeHeader": true}}),
                json!({"basicAuth": {}}),
            ),
            (
                json!({"rateLimit": {"average": 5, "redis": {"password": "p", "endpoints": ["e"]}}}),
                json!({"rateLimit": {"average": 5}}),
            ),
            (json!({"compress": {}}), json!({"compress": {}})),
            (
                json!({"plugin": {"jwt": {"secret": "s"}}}),
                json!({"plugin": {}}),
            ),
            (json!({"aNewOne": {"key": "k"}}), json!({"aNewOne": {}})),
            (json!({"aFlatOne": "secret"}), json!({"aFlatOne": {}})),
        ] {
            assert_eq!(Value::Object(middleware(&whole)), shown);
        }
    }
}
