//! HTTP middlewares. A newer Traefik's middleware is one more struct, and its line in
//! [`Middleware`].

use std::collections::BTreeMap;

use super::Duration;
use super::bounds;
use super::object::object;
use super::tls::ClientTls;
use super::value::{Dotted, PluginValue, Switch};

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
        prefix: Option<String> => bounds::TEXT,
    }

    /// Takes prefixes off the path.
    pub struct StripPrefix {
        prefixes: Vec<String> => bounds::TEXT,
        force_slash: Option<bool>,
    }

    /// Takes off the path what matches at its beginning.
    pub struct StripPrefixRegex {
        regex: Vec<String> => bounds::REGEXP,
    }

    /// Replaces the path.
    pub struct ReplacePath {
        path: Option<String> => bounds::TEXT,
    }

    /// Rewrites the path.
    pub struct ReplacePathRegex {
        regex: Option<String> => bounds::REGEXP,
        replacement: Option<String> => bounds::TEXT,
    }

    /// Several middlewares in their order.
    pub struct Chain {
        middlewares: Vec<String> => bounds::REFERENCE,
    }

    /// The older name of [`IpAllowList`].
    pub struct IpWhiteList {
        source_range: Vec<String> => bounds::NETWORKS,
        ip_strategy: Switch<IpStrategy>,
    }

    /// Only clients of these ranges.
    pub struct IpAllowList {
        source_range: Vec<String> => bounds::NETWORKS,
        ip_strategy: Switch<IpStrategy>,
        reject_status_code: Option<i64> => bounds::REJECTION,
    }

    /// Which address counts as the client's.
    pub struct IpStrategy {
        depth: Option<i64> => bounds::DEPTH,
        #[serde(rename = "excludedIPs")]
        excluded_ips: Vec<String> => bounds::NETWORKS,
        ipv6_subnet: Option<i64> => bounds::PREFIX,
    }

    /// What requests are counted by.
    pub struct SourceCriterion {
        ip_strategy: Option<IpStrategy>,
        request_header_name: Option<String> => bounds::TEXT,
        request_host: Option<bool>,
    }

    /// Headers of requests and responses, CORS and security among them.
    pub struct Headers {
        custom_request_headers: Dotted<String> => bounds::TEXT,
        custom_response_headers: Dotted<String> => bounds::TEXT,
        access_control_allow_credentials: Option<bool>,
        access_control_allow_headers: Vec<String> => bounds::TEXT,
        access_control_allow_methods: Vec<String> => bounds::TEXT,
        access_control_allow_origin_list: Vec<String> => bounds::TEXT,
        access_control_allow_origin_list_regex: Vec<String> => bounds::REGEXP,
        access_control_expose_headers: Vec<String> => bounds::TEXT,
        access_control_max_age: Option<i64> => bounds::SECONDS_KEPT,
        add_vary_header: Option<bool>,
        allowed_hosts: Vec<String> => bounds::TEXT,
        hosts_proxy_headers: Vec<String> => bounds::TEXT,
        ssl_proxy_headers: Dotted<String> => bounds::TEXT,
        sts_seconds: Option<i64> => bounds::SECONDS_KEPT,
        sts_include_subdomains: Option<bool>,
        sts_preload: Option<bool>,
        #[serde(rename = "forceSTSHeader")]
        force_sts_header: Option<bool>,
        frame_deny: Option<bool>,
        custom_frame_options_value: Option<String> => bounds::TEXT,
        content_type_nosniff: Option<bool>,
        browser_xss_filter: Option<bool>,
        #[serde(rename = "customBrowserXSSValue")]
        custom_browser_xss_value: Option<String> => bounds::TEXT,
        content_security_policy: Option<String> => bounds::TEXT,
        content_security_policy_report_only: Option<String> => bounds::TEXT,
        public_key: Option<String> => bounds::TEXT,
        referrer_policy: Option<String> => bounds::TEXT,
        permissions_policy: Option<String> => bounds::TEXT,
        is_development: Option<bool>,
        feature_policy: Option<String> => bounds::TEXT,
        ssl_redirect: Option<bool>,
        ssl_temporary_redirect: Option<bool>,
        ssl_host: Option<String> => bounds::TEXT,
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
        status: Vec<String> => bounds::STATUS_RANGES,
        status_rewrites: BTreeMap<String, i64> => bounds::STATUS,
        service: Option<String> => bounds::REFERENCE,
        query: Option<String> => bounds::TEXT,
        error_request_headers: Vec<String> => bounds::TEXT,
    }

    /// So many requests in a period.
    pub struct RateLimit {
        average: Option<i64> => bounds::RATE,
        period: Option<Duration> => bounds::PERIOD,
        burst: Option<i64> => bounds::RATE,
        source_criterion: Option<SourceCriterion>,
        redis: Option<Redis>,
    }

    /// Where several Traefiks keep a common count.
    pub struct Redis {
        endpoints: Vec<String> => bounds::TEXT,
        tls: Option<ClientTls>,
        username: Option<String> => bounds::TEXT,
        password: Option<String> => bounds::TEXT,
        db: Option<i64> => bounds::DATABASE,
        pool_size: Option<i64> => bounds::CONNECTIONS,
        min_idle_conns: Option<i64> => bounds::IDLE_CONNECTIONS,
        max_active_conns: Option<i64> => bounds::CONNECTIONS,
        read_timeout: Option<Duration> => bounds::REDIS_TIMEOUT,
        write_timeout: Option<Duration> => bounds::REDIS_TIMEOUT,
        dial_timeout: Option<Duration> => bounds::REDIS_TIMEOUT,
    }

    /// Redirects what matches.
    pub struct RedirectRegex {
        regex: Option<String> => bounds::REGEXP,
        replacement: Option<String> => bounds::TEXT,
        permanent: Option<bool>,
    }

    /// Redirects to another scheme or port.
    pub struct RedirectScheme {
        scheme: Option<String> => bounds::TEXT,
        port: Option<String> => bounds::TEXT,
        permanent: Option<bool>,
    }

    /// Basic authentication.
    pub struct BasicAuth {
        users: Vec<String> => bounds::BASIC_USERS,
        users_file: Option<String> => bounds::TEXT,
        realm: Option<String> => bounds::TEXT,
        remove_header: Option<bool>,
        header_field: Option<String> => bounds::TEXT,
    }

    /// Digest authentication.
    pub struct DigestAuth {
        users: Vec<String> => bounds::DIGEST_USERS,
        users_file: Option<String> => bounds::TEXT,
        remove_header: Option<bool>,
        realm: Option<String> => bounds::TEXT,
        header_field: Option<String> => bounds::TEXT,
    }

    /// Authentication by another server.
    pub struct ForwardAuth {
        address: Option<String> => bounds::TEXT,
        tls: Option<ClientTls>,
        trust_forward_header: Option<bool>,
        auth_response_headers: Vec<String> => bounds::TEXT,
        auth_response_headers_regex: Option<String> => bounds::REGEXP,
        auth_request_headers: Vec<String> => bounds::TEXT,
        max_response_body_size: Option<i64> => bounds::BODY,
        add_auth_cookies_to_response: Vec<String> => bounds::TEXT,
        header_field: Option<String> => bounds::TEXT,
        forward_body: Option<bool>,
        max_body_size: Option<i64> => bounds::BODY,
        preserve_location_header: Option<bool>,
        preserve_request_method: Option<bool>,
        #[serde(rename = "authSigninURL")]
        auth_signin_url: Option<String> => bounds::TEXT,
    }

    /// At most so many requests of one source at once.
    pub struct InFlightReq {
        amount: Option<i64> => bounds::AMOUNT,
        source_criterion: Option<SourceCriterion>,
    }

    /// Limits of bodies, and where they are kept.
    pub struct Buffering {
        max_request_body_bytes: Option<i64> => bounds::SPOOLED_BODY,
        mem_request_body_bytes: Option<i64> => bounds::BODY_OR_ZERO,
        max_response_body_bytes: Option<i64> => bounds::SPOOLED_BODY,
        mem_response_body_bytes: Option<i64> => bounds::BODY_OR_ZERO,
        retry_expression: Option<String> => bounds::RETRY,
    }

    /// Stops calling a service that fails.
    pub struct CircuitBreaker {
        expression: Option<String> => bounds::BREAKER,
        check_period: Option<Duration> => bounds::MEMORY,
        fallback_duration: Option<Duration> => bounds::MEMORY,
        recovery_duration: Option<Duration> => bounds::MEMORY,
        response_code: Option<i64> => bounds::STATUS,
    }

    /// Compresses responses.
    pub struct Compress {
        excluded_content_types: Vec<String> => bounds::MEDIA_TYPES,
        included_content_types: Vec<String> => bounds::MEDIA_TYPES,
        min_response_body_bytes: Option<i64> => bounds::BODY_OR_ZERO,
        encodings: Vec<String> => bounds::ENCODINGS,
        default_encoding: Option<String> => bounds::ENCODINGS,
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
        attempts: Option<i64> => bounds::ATTEMPTS,
        timeout: Option<Duration> => bounds::TIMEOUT,
        initial_interval: Option<Duration> => bounds::TIMEOUT,
        max_request_body_bytes: Option<i64> => bounds::BODY_OR_ZERO,
        status: Vec<String> => bounds::STATUS_RANGES,
        disable_retry_on_network_error: Option<bool>,
        retry_non_idempotent_method: Option<bool>,
    }

    /// Finds out the type of a response that names none.
    pub struct ContentType {
        auto_detect: Option<bool>,
    }

    /// Translates gRPC-Web.
    pub struct GrpcWeb {
        allow_origins: Vec<String> => bounds::TEXT,
    }
}
