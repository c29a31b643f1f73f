"""What every answer of the console tells browsers: run nothing but our files, load nothing from elsewhere, keep out."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        # Everything is refused that is not allowed below.
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No text becomes markup or code: what models and callers wrote is shown on these pages.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

SECURITY_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Addresses of the console name accounts and requests.
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    # Ignored on plain http, so that the gateway of `make run` stays reachable.
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-robots-tag", b"noindex, nofollow"),
)
