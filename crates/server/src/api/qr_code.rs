//! A text as a QR code for a camera. What is drawn is a secret: it goes into the one answer and nowhere else.

use png::{BitDepth, ColorType, Encoder, EncodingError};
use qrcode::types::QrError;
use qrcode::{Color, EcLevel, QrCode};
use std::fmt::Write;

/// Light modules around it, without which cameras do not find it (ISO/IEC 18004 section 9.1).
const QUIET: usize = 4;
/// Eight pixels of one bit each: a module of a PNG is one byte.
const PIXELS: usize = 8;
const LIGHT: u8 = 0xff;
const DARK: u8 = 0x00;

#[derive(Debug, thiserror::Error)]
pub(super) enum DrawError {
    #[error("a QR code cannot be made: {0}")]
    Code(#[from] QrError),
    #[error("a PNG cannot be written: {0}")]
    Png(#[from] EncodingError),
}

/// Rows of modules, `true` where they are dark, with the quiet zone around.
struct Modules(Vec<Vec<bool>>);

impl Modules {
    fn of(text: &str) -> Result<Self, DrawError> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
        let width = code.width();
        let light = || vec![false; width + 2 * QUIET];
        let mut rows = vec![light(); QUIET];
        for modules in code.into_colors().chunks(width) {
            let mut row = vec![false; QUIET];
            row.extend(modules.iter().map(|module| *module == Color::Dark));
            row.extend([false; QUIET]);
            rows.push(row);
        }
        rows.resize_with(width + 2 * QUIET, light);
        Ok(Self(rows))
    }

    fn width(&self) -> usize {
        self.0.len()
    }
}

/// Dark on white, whatever the page around it looks like: few cameras read the opposite.
pub(super) fn svg(text: &str) -> Result<Vec<u8>, DrawError> {
    let modules = Modules::of(text)?;
    let (width, pixels) = (modules.width(), modules.width() * PIXELS);
    let mut path = String::new();
    for (y, row) in modules.0.iter().enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, next| one == next) {
            let length = run.len();
            if run.first() == Some(&true) {
                // Writing to a String cannot fail.
                let _ = write!(path, "M{x} {y}h{length}v1h-{length}z");
            }
            x += length;
        }
    }
    let image = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{pixels}\" height=\"{pixels}\" \
         viewBox=\"0 0 {width} {width}\" shape-rendering=\"crispEdges\"><title>QR code for an authenticator app</title>\
         <path fill=\"#fff\" d=\"M0 0h{width}v{width}h-{width}z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    );
    Ok(image.into_bytes())
}

/// Of one bit a pixel.
pub(super) fn png(text: &str) -> Result<Vec<u8>, DrawError> {
    let modules = Modules::of(text)?;
    // A code has 177 modules at most.
    let pixels = u32::try_from(modules.width() * PIXELS).unwrap_or_default();
    let mut image = Vec::new();
    let mut encoder = Encoder::new(&mut image, pixels, pixels);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    let mut writer = encoder.write_header()?;
    let row = |row: &Vec<bool>| -> Vec<u8> {
        row.iter().map(|is_dark| if *is_dark { DARK } else { LIGHT }).collect()
    };
    let rows: Vec<u8> = modules.0.iter().flat_map(|modules| row(modules).repeat(PIXELS)).collect();
    writer.write_image_data(&rows)?;
    writer.finish()?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_does_not_fit_is_an_error_that_does_not_quote_it() {
        let error = svg(&"secret".repeat(1_000)).unwrap_err();
        assert!(!error.to_string().contains("secretsecret"), "{error}");
    }
}
