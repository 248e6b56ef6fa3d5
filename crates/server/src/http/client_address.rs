//! Who sent a request, for the log. Nothing may be decided by it: behind one address are many clients, and one
//! client has many.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// In the extensions of every request. An IPv4 address is never written as an IPv6 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Addresses whose word about their clients is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

impl TrustedProxies {
    /// Networks such as `10.0.0.0/8`, or single addresses. The first one that is neither is returned.
    pub fn parse(networks: &[String]) -> Result<Self, &str> {
        networks.iter().map(|text| network(text).ok_or(text.as_str())).collect::<Result<_, _>>().map(Self)
    }

    /// The last address that is no proxy of ours, going back from `peer`. A step that cannot be read ends the way:
    /// what is behind it is anybody's word.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return ClientAddress(peer);
        }
        let x_forwarded_for = self.walk(peer, headers, &X_FORWARDED_FOR, addresses);
        let forwarded = self.walk(peer, headers, &FORWARDED, forwarded_for);
        ClientAddress(match (x_forwarded_for, forwarded) {
            // A proxy sets one of them, and may pass on what a client wrote into the other.
            (Some(one), Some(other)) if one != other => peer,
            (Some(client), _) | (None, Some(client)) => client,
            (None, None) => peer,
        })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// `None` if there is no such header.
    fn walk(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        name: &HeaderName,
        read: fn(&str) -> Vec<Option<IpAddr>>,
    ) -> Option<IpAddr> {
        if !headers.contains_key(name) {
            return None;
        }
        let lines = headers.get_all(name).iter().rev();
        let steps = lines
            .flat_map(|line: &HeaderValue| line.to_str().map_or_else(|_| vec![None], read).into_iter().rev());
        let mut client = peer;
        for step in steps {
            match step {
                Some(address) if self.trusts(client) => client = address,
                _ => break,
            }
        }
        Some(client)
    }
}

/// An IPv4 network in IPv6 clothes would never match, and bits behind the prefix are a typing error.
fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    let is_exact = network.trunc() == network && network.addr().to_canonical() == network.addr();
    is_exact.then_some(network)
}

fn addresses(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|text| address(text.trim_matches([' ', '\t']))).collect()
}

/// RFC 7239: `for` of each element. Of what a quoted text may have, an address needs nothing but itself.
fn forwarded_for(line: &str) -> Vec<Option<IpAddr>> {
    if line.contains('\\') || line.matches('"').count() % 2 == 1 {
        return vec![None];
    }
    unquoted_parts(line, ',').map(node).collect()
}

/// What is between quotes may have come from the client, such as the host that it asked for.
fn unquoted_parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    })
}

fn node(element: &str) -> Option<IpAddr> {
    let pairs = unquoted_parts(element, ';').filter_map(|pair| pair.split_once('='));
    let mut nodes = pairs.filter(|(name, _)| name.trim_matches([' ', '\t']).eq_ignore_ascii_case("for"));
    let (_, value) = nodes.next()?;
    let value = value.trim_matches([' ', '\t']);
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    if nodes.next().is_some() { None } else { address(value) }
}

/// Some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(bare) => bare.parse().map(IpAddr::V6).ok(),
        None => text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok(),
    };
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies() -> TrustedProxies {
        let networks = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"].map(str::to_owned);
        TrustedProxies::parse(&networks).unwrap()
    }

    fn client(peer: &str, lines: &[(&str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        proxies().client(peer.parse().unwrap(), &headers).0.to_string()
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_proxy() {
        for (header, expected) in [
            ("198.51.100.1", "198.51.100.1"),
            ("1.1.1.1, 198.51.100.1", "198.51.100.1"),
            ("1.1.1.1,\t198.51.100.1 , 10.9.9.9,192.0.2.7", "198.51.100.1"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("2001:DB8::7, 2001:db9::1", "2001:db9::1"),
            ("198.51.100.1:4711", "198.51.100.1"),
            ("[2001:db9::1]:4711", "2001:db9::1"),
            ("[2001:db9::1]", "2001:db9::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("198.51.100.1, ::ffff:10.0.0.9", "198.51.100.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", header)]), expected, "{header}");
            assert_eq!(client("::ffff:10.0.0.1", &[("x-forwarded-for", header)]), expected, "{header}");
        }
        let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2, 10.0.0.2")];
        assert_eq!(client("10.0.0.1", &lines), "2.2.2.2");
    }

    #[test]
    fn nobody_else_is_believed() {
        let lines = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=1.1.1.1")];
        for peer in ["198.51.100.1", "192.0.2.8", "2001:db9::1"] {
            assert_eq!(client(peer, &lines), peer);
        }
        assert_eq!(client("::ffff:198.51.100.1", &lines), "198.51.100.1");
        assert_eq!(
            TrustedProxies::default().client([10, 0, 0, 1].into(), &HeaderMap::new()).0.to_string(),
            "10.0.0.1"
        );
    }

    #[test]
    fn what_cannot_be_read_ends_the_way_at_the_proxy_that_sent_it() {
        for broken in
            ["", "unknown", "1.1.1", "01.1.1.1", "1.1.1.1/32", "fe80::1%eth0", "[1.1.1.1]", "a b", "1.1.1.1;"]
        {
            let header = format!("1.1.1.1, {broken}");
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", &header)]), "10.0.0.1", "{header}");
            let header = format!("1.1.1.1, {broken}, 10.0.0.2");
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", &header)]), "10.0.0.2", "{header}");
        }
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, ü, 10.0.0.2")]), "10.0.0.1");
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_has_it() {
        for (header, expected) in [
            ("for=198.51.100.1", "198.51.100.1"),
            ("For=\"[2001:db9::17]:4711\"", "2001:db9::17"),
            ("for=1.1.1.1;by=10.0.0.2, proto=https; for=\"198.51.100.1:80\" ;host=\"a,b\"", "198.51.100.1"),
            ("for=198.51.100.1, for=10.0.0.2", "198.51.100.1"),
            ("for=198.51.100.1;host=\"a;for=1.1.1.1;b\"", "198.51.100.1"),
            ("by=10.0.0.2;host=\"a;for=1.1.1.1;b\"", "10.0.0.1"),
            ("for=198.51.100.1, for=_hidden", "10.0.0.1"),
            ("for=198.51.100.1, for=unknown", "10.0.0.1"),
            ("for=198.51.100.1, by=10.0.0.3", "10.0.0.1"),
            ("for=198.51.100.1;for=1.1.1.1", "10.0.0.1"),
            ("for=\"198.51.100.1", "10.0.0.1"),
            ("for=\"1\\98.51.100.1\"", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[("forwarded", header)]), expected, "{header}");
        }
    }

    #[test]
    fn two_headers_that_disagree_are_none() {
        let both = |other| client("10.0.0.1", &[("x-forwarded-for", "1.1.1.1"), ("forwarded", other)]);
        assert_eq!((both("for=1.1.1.1").as_str(), both("for=2.2.2.2").as_str()), ("1.1.1.1", "10.0.0.1"));
    }

    #[test]
    fn a_network_is_written_in_its_one_way() {
        for text in ["", "10.0.0.0", "10.0.0.0/8", "::1", "fd00::/8", "0.0.0.0/0"] {
            assert_eq!(TrustedProxies::parse(&[text.to_owned()]).is_ok(), !text.is_empty(), "{text}");
        }
        for text in [
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0",
            "::ffff:10.0.0.0/104",
            "::ffff:10.0.0.1",
            "localhost",
            " ::1",
        ] {
            let texts = ["::1".to_owned(), text.to_owned()];
            assert_eq!(TrustedProxies::parse(&texts), Err(text));
        }
    }
}
