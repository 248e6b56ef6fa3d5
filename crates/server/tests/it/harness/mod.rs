pub(crate) mod issuer;
