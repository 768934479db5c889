//! What stands between a client and the server, by what it says of itself.

use super::observation::Observation;

/// What stands between a client and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the name of a product")]
pub enum Intermediary {
    Nginx,
    Apache,
    Varnish,
    Squid,
    Caddy,
    Lighttpd,
    Envoy,
    Cloudflare,
    CloudFront,
    Fastly,
    Akamai,
    AwsLoadBalancer,
    GoogleCloud,
    Azure,
    Heroku,
    Fly,
    /// Something that gives no name, but is there.
    Nameless,
}

/// Where a sign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignPlace {
    Answer,
    Request,
}

use Intermediary as Is;
use SignPlace::{Answer, Request};

/// The signs: a header, and what its value has in it, in lower case. Clouds stand before programs, since what
/// a cloud passes on may name a program at its other end.
const SIGNS: &[(SignPlace, &str, &str, Intermediary)] = &[
    (Answer, "cf-ray", "", Is::Cloudflare),
    (Answer, "server", "cloudflare", Is::Cloudflare),
    (Request, "cf-ray", "", Is::Cloudflare),
    (Answer, "x-amz-cf-id", "", Is::CloudFront),
    (Answer, "via", "cloudfront", Is::CloudFront),
    (Request, "via", "cloudfront", Is::CloudFront),
    (Answer, "x-served-by", "cache-", Is::Fastly),
    (Request, "fastly-client-ip", "", Is::Fastly),
    (Answer, "x-akamai-transformed", "", Is::Akamai),
    (Request, "akamai-origin-hop", "", Is::Akamai),
    (Answer, "x-azure-ref", "", Is::Azure),
    (Request, "x-azure-ref", "", Is::Azure),
    (Request, "x-arr-ssl", "", Is::Azure),
    (Answer, "via", "google", Is::GoogleCloud),
    (Request, "x-cloud-trace-context", "", Is::GoogleCloud),
    (Answer, "via", "heroku", Is::Heroku),
    (Answer, "via", "vegur", Is::Heroku),
    (Request, "via", "heroku", Is::Heroku),
    (Answer, "fly-request-id", "", Is::Fly),
    (Request, "fly-region", "", Is::Fly),
    (Answer, "server", "awselb", Is::AwsLoadBalancer),
    (Request, "x-amzn-trace-id", "", Is::AwsLoadBalancer),
    (Answer, "server", "envoy", Is::Envoy),
    (Request, "x-envoy-external-address", "", Is::Envoy),
    (Request, "x-envoy-expected-rq-timeout-ms", "", Is::Envoy),
    (Answer, "x-varnish", "", Is::Varnish),
    (Request, "x-varnish", "", Is::Varnish),
    (Answer, "via", "varnish", Is::Varnish),
    (Answer, "via", "squid", Is::Squid),
    (Answer, "x-cache", "squid", Is::Squid),
    (Request, "via", "squid", Is::Squid),
    (Answer, "via", "caddy", Is::Caddy),
    (Request, "via", "caddy", Is::Caddy),
    (Answer, "server", "caddy", Is::Caddy),
    (Answer, "server", "nginx", Is::Nginx),
    (Answer, "server", "openresty", Is::Nginx),
    (Answer, "server", "apache", Is::Apache),
    (Request, "x-forwarded-server", "", Is::Apache),
    (Answer, "server", "lighttpd", Is::Lighttpd),
    (Answer, "server", "", Is::Nameless),
    (Answer, "via", "", Is::Nameless),
    (Request, "via", "", Is::Nameless),
    (Request, "forwarded", "", Is::Nameless),
    (Request, "x-forwarded-for", "", Is::Nameless),
    (Request, "x-real-ip", "", Is::Nameless),
];

/// Whether a header of a request tells of something in between, by its name in lower case. What only those
/// who are in between need to know is not repeated, but that they said it.
#[must_use]
pub fn is_telling(name: &str) -> bool {
    SIGNS
        .iter()
        .any(|(place, sign, ..)| *place == Request && *sign == name)
}

impl Intermediary {
    /// What stands in between, if something shows it.
    #[must_use]
    pub fn of(seen: &Observation) -> Option<Intermediary> {
        let found = SIGNS.iter().find(|(place, name, word, _)| {
            let value = match place {
                Answer => seen.header(name),
                Request => seen.asked_header(name),
            };
            value.is_some_and(|value| value.to_ascii_lowercase().contains(word))
        });
        let is_older = matches!(seen.version.as_str(), "HTTP/0.9" | "HTTP/1.0");
        // Nobody who probes asks by HTTP/1.0.
        found
            .map(|(.., who)| *who)
            .or(is_older.then_some(Is::Nameless))
    }

    /// The name by which people know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Is::Nginx => "nginx",
            Is::Apache => "Apache",
            Is::Varnish => "Varnish",
            Is::Squid => "Squid",
            Is::Caddy => "Caddy",
            Is::Lighttpd => "lighttpd",
            Is::Envoy => "Envoy",
            Is::Cloudflare => "Cloudflare",
            Is::CloudFront => "Amazon CloudFront",
            Is::Fastly => "Fastly",
            Is::Akamai => "Akamai",
            Is::AwsLoadBalancer => "a load balancer of AWS",
            Is::GoogleCloud => "a load balancer of Google Cloud",
            Is::Azure => "Azure",
            Is::Heroku => "Heroku’s router",
            Is::Fly => "Fly.io’s proxy",
            Is::Nameless => "something that does not say its name",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(answer: &[(&str, &str)], request: &[(&str, &str)]) -> Option<Intermediary> {
        let owned = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        Intermediary::of(&Observation {
            headers: owned(answer),
            asked_with: owned(request),
            version: "HTTP/1.1".to_owned(),
            ..Observation::default()
        })
    }

    #[test]
    fn intermediary_is_known_by_its_signs() {
        assert_eq!(seen(&[], &[]), None);
        assert_eq!(seen(&[("server", "nginx/1.22.1")], &[]), Some(Is::Nginx));
        let cloud = [("server", "cloudflare"), ("cf-ray", "8a")];
        assert_eq!(seen(&cloud, &[("via", "1.1 nginx")]), Some(Is::Cloudflare));
        let varnish = [("via", "1.1 host (Varnish/7.1)"), ("x-varnish", "2")];
        assert_eq!(seen(&varnish, &[]), Some(Is::Varnish));
        assert_eq!(seen(&[], &[("x-forwarded-for", "")]), Some(Is::Nameless));
        assert!(is_telling("x-amzn-trace-id") && !is_telling("cookie"));
        let old = Observation {
            version: "HTTP/1.0".to_owned(),
            ..Observation::default()
        };
        assert_eq!(Intermediary::of(&old), Some(Is::Nameless));
    }
}
