// Reads both images of a QR code as a camera does, and what is in them as an authenticator app does. Input is one line of
// JSON with a PNG in base64, an SVG and a time in seconds; so is the output.
import { parse } from '@otplib/uri';
import jsqr from 'jsqr';
import { generateSync } from 'otplib';
import { PNG } from 'pngjs';

const decode = (pixels, width, height) => (jsqr.default ?? jsqr)(new Uint8ClampedArray(pixels), width, height)?.data;

function ofPng(base64) {
  const { data, width, height } = PNG.sync.read(Buffer.from(base64, 'base64'));
  return decode(data, width, height);
}

/** Its rectangles, four pixels a module. */
function ofSvg(svg) {
  const scale = 4;
  const size = Number(svg.match(/viewBox="0 0 (\d+) /)[1]) * scale;
  const pixels = new Uint8Array(size * size * 4).fill(255);
  for (const [, x, y, length] of svg.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    for (let row = y * scale; row < (Number(y) + 1) * scale; row++) {
      for (let column = x * scale; column < (Number(x) + Number(length)) * scale; column++) {
        pixels.fill(0, (row * size + column) * 4, (row * size + column) * 4 + 3);
      }
    }
  }
  return decode(pixels, size, size);
}

let input = '';
for await (const chunk of process.stdin) input += chunk;
const { png, svg, time } = JSON.parse(input);
const uri = ofPng(png);
const { type, label, params } = parse(uri);
const code = generateSync({ ...params, epoch: time });
console.log(JSON.stringify({ png: uri, svg: ofSvg(svg), type, label, params, code }));
