//! What a browser may do on behalf of the page: run its scripts, talk to this server and to the issuer's token endpoint,
//! show its images and those it got from the API, and nothing else, whatever may get into it.

use url::Url;

/// For files that are no page.
pub(super) const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// No text becomes HTML or a script, not even by a mistake in ours: `require-trusted-types-for` forbids every way to do it,
/// and `trusted-types` every exception.
pub(super) fn of_the_page(token_endpoint: Option<&Url>) -> String {
    let issuer = token_endpoint.map(|url| format!(" {}", url.origin().ascii_serialization()));
    let issuer = issuer.unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'{issuer}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_origin_of_the_token_endpoint_is_added() {
        let url = Url::parse("https://id.example.com:8443/realms/cars/token?x=y").unwrap();
        assert!(of_the_page(Some(&url)).contains("; connect-src 'self' https://id.example.com:8443; "));
        assert!(of_the_page(None).contains("; connect-src 'self'; "));
    }
}
