//! HTTP middlewares. A newer Traefik's middleware is one more struct, and its line in
//! [`Middleware`].

use std::collections::BTreeMap;

use super::Duration;
use super::object::object;
use super::tls::ClientTls;
use super::value::{Connections, Dotted, PluginValue, Switch};

object! {
    /// One transformation of requests, under one of its types. They are boxed, because all of
    /// them but one are absent.
    pub struct Middleware {
        add_prefix: Option<Box<AddPrefix>>,
        strip_prefix: Option<Box<StripPrefix>>,
        strip_prefix_regex: Option<Box<StripPrefixRegex>>,
        replace_path: Option<Box<ReplacePath>>,
        replace_path_regex: Option<Box<ReplacePathRegex>>,
        chain: Option<Box<Chain>>,
        ip_white_list: Option<Box<IpWhiteList>>,
        ip_allow_list: Option<Box<IpAllowList>>,
        headers: Option<Box<Headers>>,
        encoded_characters: Option<Box<EncodedCharacters>>,
        errors: Option<Box<Errors>>,
        rate_limit: Option<Box<RateLimit>>,
        redirect_regex: Option<Box<RedirectRegex>>,
        redirect_scheme: Option<Box<RedirectScheme>>,
        basic_auth: Option<Box<BasicAuth>>,
        digest_auth: Option<Box<DigestAuth>>,
        forward_auth: Option<Box<ForwardAuth>>,
        in_flight_req: Option<Box<InFlightReq>>,
        buffering: Option<Box<Buffering>>,
        circuit_breaker: Option<Box<CircuitBreaker>>,
        compress: Switch<Box<Compress>>,
        #[serde(rename = "passTLSClientCert")]
        pass_tls_client_cert: Option<Box<PassTlsClientCert>>,
        retry: Option<Box<Retry>>,
        content_type: Switch<Box<ContentType>>,
        grpc_web: Option<Box<GrpcWeb>>,
        plugin: BTreeMap<String, BTreeMap<String, PluginValue>>,
    }

    /// Adds a prefix to the path.
    pub struct AddPrefix {
        prefix: Option<String>,
    }

    /// Takes prefixes off the path.
    pub struct StripPrefix {
        prefixes: Vec<String>,
        force_slash: Option<bool>,
    }

    /// Takes off the path what matches at its beginning.
    pub struct StripPrefixRegex {
        regex: Vec<String>,
    }

    /// Replaces the path.
    pub struct ReplacePath {
        path: Option<String>,
    }

    /// Rewrites the path.
    pub struct ReplacePathRegex {
        regex: Option<String>,
        replacement: Option<String>,
    }

    /// Several middlewares in their order.
    pub struct Chain {
        middlewares: Vec<String>,
    }

    /// The older name of [`IpAllowList`].
    pub struct IpWhiteList {
        source_range: Vec<String>,
        ip_strategy: Switch<IpStrategy>,
    }

    /// Only clients of these ranges.
    pub struct IpAllowList {
        source_range: Vec<String>,
        ip_strategy: Switch<IpStrategy>,
        reject_status_code: Option<i64>,
    }

    /// Which address counts as the client's.
    pub struct IpStrategy {
        depth: Option<i64>,
        #[serde(rename = "excludedIPs")]
        excluded_ips: Vec<String>,
        ipv6_subnet: Option<i64>,
    }

    /// What requests are counted by.
    pub struct SourceCriterion {
        ip_strategy: Option<IpStrategy>,
        request_header_name: Option<String>,
        request_host: Option<bool>,
    }

    /// Headers of requests and responses, CORS and security among them.
    pub struct Headers {
        custom_request_headers: Dotted<String>,
        custom_response_headers: Dotted<String>,
        access_control_allow_credentials: Option<bool>,
        access_control_allow_headers: Vec<String>,
        access_control_allow_methods: Vec<String>,
        access_control_allow_origin_list: Vec<String>,
        access_control_allow_origin_list_regex: Vec<String>,
        access_control_expose_headers: Vec<String>,
        access_control_max_age: Option<i64>,
        add_vary_header: Option<bool>,
        allowed_hosts: Vec<String>,
        hosts_proxy_headers: Vec<String>,
        ssl_proxy_headers: Dotted<String>,
        sts_seconds: Option<i64>,
        sts_include_subdomains: Option<bool>,
        sts_preload: Option<bool>,
        #[serde(rename = "forceSTSHeader")]
        force_sts_header: Option<bool>,
        frame_deny: Option<bool>,
        custom_frame_options_value: Option<String>,
        content_type_nosniff: Option<bool>,
        browser_xss_filter: Option<bool>,
        #[serde(rename = "customBrowserXSSValue")]
        custom_browser_xss_value: Option<String>,
        content_security_policy: Option<String>,
        content_security_policy_report_only: Option<String>,
        public_key: Option<String>,
        referrer_policy: Option<String>,
        permissions_policy: Option<String>,
        is_development: Option<bool>,
        feature_policy: Option<String>,
        ssl_redirect: Option<bool>,
        ssl_temporary_redirect: Option<bool>,
        ssl_host: Option<String>,
        ssl_force_host: Option<bool>,
    }

    /// Which encoded characters a path may hold.
    pub struct EncodedCharacters {
        allow_encoded_slash: Option<bool>,
        allow_encoded_back_slash: Option<bool>,
        allow_encoded_null_character: Option<bool>,
        allow_encoded_semicolon: Option<bool>,
        allow_encoded_percent: Option<bool>,
        allow_encoded_question_mark: Option<bool>,
        allow_encoded_hash: Option<bool>,
    }

    /// Pages of another service in place of error answers.
    pub struct Errors {
        status: Vec<String>,
        status_rewrites: BTreeMap<String, i64>,
        service: Option<String>,
        query: Option<String>,
        error_request_headers: Vec<String>,
    }

    /// So many requests in a period.
    pub struct RateLimit {
        average: Option<i64>,
        period: Option<Duration>,
        burst: Option<i64>,
        source_criterion: Option<SourceCriterion>,
        redis: Option<Redis>,
    }

    /// Where several Traefiks keep a common count.
    pub struct Redis {
        endpoints: Vec<String>,
        tls: Option<ClientTls>,
        username: Option<String>,
        password: Option<String>,
        db: Option<i64>,
        pool_size: Option<Connections>,
        min_idle_conns: Option<Connections>,
        max_active_conns: Option<Connections>,
        read_timeout: Option<Duration>,
        write_timeout: Option<Duration>,
        dial_timeout: Option<Duration>,
    }

    /// Redirects what matches.
    pub struct RedirectRegex {
        regex: Option<String>,
        replacement: Option<String>,
        permanent: Option<bool>,
    }

    /// Redirects to another scheme or port.
    pub struct RedirectScheme {
        scheme: Option<String>,
        port: Option<String>,
        permanent: Option<bool>,
    }

    /// Basic authentication.
    pub struct BasicAuth {
        users: Vec<String>,
        users_file: Option<String>,
        realm: Option<String>,
        remove_header: Option<bool>,
        header_field: Option<String>,
    }

    /// Digest authentication.
    pub struct DigestAuth {
        users: Vec<String>,
        users_file: Option<String>,
        remove_header: Option<bool>,
        realm: Option<String>,
        header_field: Option<String>,
    }

    /// Authentication by another server.
    pub struct ForwardAuth {
        address: Option<String>,
        tls: Option<ClientTls>,
        trust_forward_header: Option<bool>,
        auth_response_headers: Vec<String>,
        auth_response_headers_regex: Option<String>,
        auth_request_headers: Vec<String>,
        max_response_body_size: Option<i64>,
        add_auth_cookies_to_response: Vec<String>,
        header_field: Option<String>,
        forward_body: Option<bool>,
        max_body_size: Option<i64>,
        preserve_location_header: Option<bool>,
        preserve_request_method: Option<bool>,
        #[serde(rename = "authSigninURL")]
        auth_signin_url: Option<String>,
    }

    /// At most so many requests of one source at once.
    pub struct InFlightReq {
        amount: Option<i64>,
        source_criterion: Option<SourceCriterion>,
    }

    /// Limits of bodies, and where they are kept.
    pub struct Buffering {
        max_request_body_bytes: Option<i64>,
        mem_request_body_bytes: Option<i64>,
        max_response_body_bytes: Option<i64>,
        mem_response_body_bytes: Option<i64>,
        retry_expression: Option<String>,
    }

    /// Stops calling a service that fails.
    pub struct CircuitBreaker {
        expression: Option<String>,
        check_period: Option<Duration>,
        fallback_duration: Option<Duration>,
        recovery_duration: Option<Duration>,
        response_code: Option<i64>,
    }

    /// Compresses responses.
    pub struct Compress {
        excluded_content_types: Vec<String>,
        included_content_types: Vec<String>,
        min_response_body_bytes: Option<i64>,
        encodings: Vec<String>,
        default_encoding: Option<String>,
    }

    /// Tells the service of the client's certificate.
    pub struct PassTlsClientCert {
        pem: Option<bool>,
        info: Option<ClientCertInfo>,
    }

    /// What of the client's certificate is told.
    pub struct ClientCertInfo {
        not_after: Option<bool>,
        not_before: Option<bool>,
        sans: Option<bool>,
        serial_number: Option<bool>,
        subject: Option<SubjectInfo>,
        issuer: Option<IssuerInfo>,
    }

    /// What of the certificate's subject is told.
    pub struct SubjectInfo {
        country: Option<bool>,
        province: Option<bool>,
        locality: Option<bool>,
        organization: Option<bool>,
        organizational_unit: Option<bool>,
        common_name: Option<bool>,
        serial_number: Option<bool>,
        domain_component: Option<bool>,
    }

    /// What of the certificate's issuer is told.
    pub struct IssuerInfo {
        country: Option<bool>,
        province: Option<bool>,
        locality: Option<bool>,
        organization: Option<bool>,
        common_name: Option<bool>,
        serial_number: Option<bool>,
        domain_component: Option<bool>,
    }

    /// Asks another server of the service again.
    pub struct Retry {
        attempts: Option<i64>,
        timeout: Option<Duration>,
        initial_interval: Option<Duration>,
        max_request_body_bytes: Option<i64>,
        status: Vec<String>,
        disable_retry_on_network_error: Option<bool>,
        retry_non_idempotent_method: Option<bool>,
    }

    /// Finds out the type of a response that names none.
    pub struct ContentType {
        auto_detect: Option<bool>,
    }

    /// Translates gRPC-Web.
    pub struct GrpcWeb {
        allow_origins: Vec<String>,
    }
}
