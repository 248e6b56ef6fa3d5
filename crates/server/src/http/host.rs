//! Whether a Host or `:authority` may be one. Its value is used for nothing, so that nobody can steer by it.

/// RFC 3986 section 3.2.2, without user information (RFC 9110 section 4.2.4).
pub(super) fn is_valid(host: &[u8]) -> bool {
    host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(byte))
}
