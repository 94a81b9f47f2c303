// Unpacks the Chromium of @sparticuz/chromium, with its libraries and fonts, into ./chromium.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";

const from = "node_modules/@sparticuz/chromium/bin";
mkdirSync("chromium", { recursive: true });
writeFileSync("chromium/chromium", brotliDecompressSync(readFileSync(`${from}/chromium.br`)));
chmodSync("chromium/chromium", 0o755);
for (const name of ["al2023", "fonts", "swiftshader"]) {
  const input = brotliDecompressSync(readFileSync(`${from}/${name}.tar.br`));
  execFileSync("tar", ["-x", "--no-same-owner", "-C", "chromium"], { input });
}
writeFileSync(
  "chromium/fonts.conf",
  `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${process.cwd()}/chromium/fonts</dir><cachedir>${process.cwd()}/chromium/cache</cachedir></fontconfig>
`,
);
