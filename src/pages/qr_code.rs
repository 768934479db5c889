//! An address as a QR code, which a camera reads.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

/// The light margin around a code, in modules: less, and cameras do not find it (ISO/IEC 18004).
const MARGIN: i32 = 4;

/// Returns a text as a QR code in SVG, dark on light; `None` if it is too long for one.
#[must_use]
pub fn qr_code(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let side = code.size() + 2 * MARGIN;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            // Writing to a string does not fail.
            let _ = write!(path, "M{} {}h1v1h-1z", x + MARGIN, y + MARGIN);
        }
    }
    Some(format!(
        "<svg viewBox=\"0 0 {side} {side}\" aria-hidden=\"true\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/>\
         <path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code has the three marks in its corners by which it is found, and a margin around it.
    #[test]
    fn qr_code_is_dark_on_light() {
        let svg = qr_code("http://192.0.2.7:8080").unwrap();
        assert!(svg.starts_with("<svg viewBox=\"0 0 33 33\""), "{svg}");
        let is_dark = |x: i32, y: i32| svg.contains(&format!("M{x} {y}h1v1h-1z"));
        for (x, y) in [(4, 4), (22, 4), (4, 22)] {
            assert!(is_dark(x, y) && is_dark(x + 6, y + 6) && is_dark(x + 3, y + 3));
            assert!(!is_dark(x + 1, y + 1), "{svg}");
        }
        assert!((0..33).all(|n| !is_dark(n, 3) && !is_dark(3, n)), "{svg}");
        assert_eq!(qr_code(&"x".repeat(3000)), None);
    }
}
