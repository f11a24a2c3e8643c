//! What Traefik needs of a middleware as a whole in order to build it. A router that uses one it
//! cannot build is disabled. Only what its own code was seen to refuse is refused here, and each
//! case is compared with the real one (`tests/it/middleware_values.rs`).

use super::text;
use super::{
    Compress, Errors, ForwardAuth, Headers, IpAllowList, Middleware, OutOfBounds, Path, Retry,
    SourceCriterion, Switch, Unset,
};

/// Statuses that Go's standard library has a text for: Traefik refuses others for a rejection.
const KNOWN_STATUSES: [&[i64]; 4] = [
    &[200, 201, 202, 203, 204, 205, 206, 207, 208, 226],
    &[300, 301, 302, 303, 304, 305, 307, 308],
    &[
        400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417,
        418, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451,
    ],
    &[500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
];

/// Whether Traefik can build it.
pub fn check(middleware: &Middleware, path: Path<'_>) -> Result<(), OutOfBounds> {
    let types = types(middleware);
    if let [one, another, ..] = &types[..] {
        return Err(OutOfBounds {
            hint: Some("give each its own name, and the router both".to_owned()),
            ..path.refuse(format!("it is both `{one}` and `{another}`"))
        });
    }
    let lacks = |path: Path<'_>, field: &str| Err(path.refuse(format!("it has no `{field}`")));
    if let Some(list) = &middleware.ip_white_list {
        let path = path.field("ip_white_list");
        if list.source_range.is_empty() {
            return lacks(path, "sourcerange");
        }
    }
    if let Some(list) = &middleware.ip_allow_list {
        allow_list(list, path.field("ip_allow_list"))?;
    }
    if let Some(auth) = &middleware.basic_auth
        && auth.users.is_empty()
        && is_blank(&auth.users_file)
    {
        // Traefik would take it for a list of nobody. Without users, no login is right.
        return lacks(path.field("basic_auth"), "users");
    }
    if let Some(errors) = &middleware.errors {
        error_pages(errors, path.field("errors"))?;
    }
    if let Some(redirect) = &middleware.redirect_scheme
        && is_blank(&redirect.scheme)
    {
        return lacks(path.field("redirect_scheme"), "scheme");
    }
    if let Some(prefix) = &middleware.add_prefix
        && is_blank(&prefix.prefix)
    {
        return lacks(path.field("add_prefix"), "prefix");
    }
    if let Some(breaker) = &middleware.circuit_breaker
        && is_blank(&breaker.expression)
    {
        return lacks(path.field("circuit_breaker"), "expression");
    }
    if let Some(retry) = &middleware.retry {
        attempts(retry, path.field("retry"))?;
    }
    if let Switch::On(compress) = &middleware.compress {
        compression(compress, path.field("compress"))?;
    }
    if let Some(auth) = &middleware.forward_auth {
        client_tls(auth, path.field("forward_auth"))?;
    }
    if let Some(headers) = &middleware.headers {
        some_header(headers, path.field("headers"))?;
    }
    for (name, criterion) in [
        (
            "rate_limit",
            middleware
                .rate_limit
                .as_ref()
                .and_then(|one| one.source_criterion.as_ref()),
        ),
        (
            "in_flight_req",
            middleware
                .in_flight_req
                .as_ref()
                .and_then(|one| one.source_criterion.as_ref()),
        ),
    ] {
        if let Some(criterion) = criterion {
            let path = path.field(name);
            one_criterion(criterion, path.field("source_criterion"))?;
        }
    }
    Ok(())
}

/// The types that it has, as labels write them.
fn types(middleware: &Middleware) -> Vec<&'static str> {
    macro_rules! set {
        ($($field:ident),* $(,)?) => {{
            let Middleware { $($field),* } = middleware;
            let all = [$((stringify!($field), $field.unset())),*];
            all.into_iter().filter(|(_, unset)| !unset).map(|(name, _)| name)
                .collect()
        }};
    }
    set!(
        add_prefix,
        strip_prefix,
        strip_prefix_regex,
        replace_path,
        replace_path_regex,
        chain,
        ip_white_list,
        ip_allow_list,
        headers,
        encoded_characters,
        errors,
        rate_limit,
        redirect_regex,
        redirect_scheme,
        basic_auth,
        digest_auth,
        forward_auth,
        in_flight_req,
        buffering,
        circuit_breaker,
        compress,
        pass_tls_client_cert,
        retry,
        content_type,
        grpc_web,
        plugin,
    )
}

fn allow_list(list: &IpAllowList, path: Path<'_>) -> Result<(), OutOfBounds> {
    if list.source_range.is_empty() {
        return Err(path.refuse("it has no `sourcerange`"));
    }
    match list.reject_status_code {
        None | Some(0) => Ok(()),
        Some(status) if KNOWN_STATUSES.iter().any(|known| known.contains(&status)) => Ok(()),
        Some(status) => {
            let path = path.field("reject_status_code");
            Err(path.refuse(format!("`{status}` is not a status of HTTP")))
        }
    }
}

fn error_pages(errors: &Errors, path: Path<'_>) -> Result<(), OutOfBounds> {
    if is_blank(&errors.service) {
        return Err(path.refuse("it has no `service`"));
    }
    for status in errors.status_rewrites.keys() {
        let path = path.field("status_rewrites");
        text::status_range(status).map_err(|reason| path.refuse(reason))?;
    }
    Ok(())
}

fn attempts(retry: &Retry, path: Path<'_>) -> Result<(), OutOfBounds> {
    if retry.attempts.is_none_or(|attempts| attempts < 1) {
        return Err(path.refuse("it has no `attempts`"));
    }
    if retry.disable_retry_on_network_error == Some(true) && retry.status.is_empty() {
        return Err(path.refuse("it neither has a `status` nor tries again on network errors"));
    }
    Ok(())
}

fn compression(compress: &Compress, path: Path<'_>) -> Result<(), OutOfBounds> {
    let Compress {
        excluded_content_types,
        included_content_types,
        min_response_body_bytes: _,
        encodings,
        default_encoding,
    } = compress;
    if !excluded_content_types.is_empty() && !included_content_types.is_empty() {
        return Err(path.refuse("it has both `excludedcontenttypes` and `includedcontenttypes`"));
    }
    if let Some(default) = default_encoding.as_ref().filter(|one| !one.is_empty())
        && !encodings.is_empty()
        && !encodings.contains(default)
    {
        let path = path.field("default_encoding");
        return Err(path.refuse(format!("`{default}` is none of its `encodings`")));
    }
    Ok(())
}

fn client_tls(auth: &ForwardAuth, path: Path<'_>) -> Result<(), OutOfBounds> {
    match &auth.tls {
        Some(tls) if is_blank(&tls.cert) != is_blank(&tls.key) => {
            let path = path.field("tls");
            Err(path.refuse("it has one of `cert` and `key`, and needs both"))
        }
        _ => Ok(()),
    }
}

/// Headers that are all turned off are none to Traefik, and no middleware.
fn some_header(headers: &Headers, path: Path<'_>) -> Result<(), OutOfBounds> {
    use serde_json::Value;
    let is_nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        // A number of seconds counts, and be it 0.
        Value::Bool(true) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    };
    match serde_json::to_value(headers) {
        Ok(Value::Object(fields)) if fields.values().all(is_nothing) => {
            Err(path.refuse("it turns every header off"))
        }
        _ => Ok(()),
    }
}

fn one_criterion(criterion: &SourceCriterion, path: Path<'_>) -> Result<(), OutOfBounds> {
    let given = [
        ("ipstrategy", !criterion.ip_strategy.unset()),
        (
            "requestheadername",
            !is_blank(&criterion.request_header_name),
        ),
        ("requesthost", criterion.request_host == Some(true)),
    ];
    let mut given = given.iter().filter(|(_, is_given)| *is_given);
    match (given.next(), given.next()) {
        (Some((one, _)), Some((another, _))) => {
            Err(path.refuse(format!("it has both `{one}` and `{another}`")))
        }
        _ => Ok(()),
    }
}

fn is_blank(text: &Option<String>) -> bool {
    text.as_deref().is_none_or(str::is_empty)
}
