# SPDX-License-Identifier: Apache-2.0
"""The page that shows a mesh: HTML, WebGL 2 and nothing from elsewhere.

`$TITLE`, `$POSITIONS`, `$NORMALS`, `$COLORS` and `$FACES` are filled in; the last four are base64
of little-endian f32, f32, u8 (RGBA, sRGB) and u32.
"""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$TITLE</title>
<style>
  html, body { margin: 0; height: 100%; overflow: hidden; font: 14px system-ui, sans-serif; }
  body { background: linear-gradient(#f0f2f5, #d3d7dd); color: #20242b; }
  canvas { position: absolute; width: 100%; height: 100%; touch-action: none; cursor: grab; }
  header, footer { position: absolute; left: 16px; pointer-events: none; }
  header { top: 12px; font-size: 18px; }
  footer { bottom: 12px; color: #6c727c; }
</style>
</head>
<body>
<canvas></canvas>
<header>$TITLE</header>
<footer>drag to turn, shift-drag to move, wheel to zoom, c for colours, double-click to
reset</footer>
<script>
"use strict";
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
const positions = new Float32Array(bytes("$POSITIONS"));
const normals = new Float32Array(bytes("$NORMALS"));
const colors = new Uint8Array(bytes("$COLORS"));
const faces = new Uint32Array(bytes("$FACES"));

const canvas = document.querySelector("canvas");
const gl = canvas.getContext("webgl2", {antialias: true, alpha: true});
if (!gl) document.querySelector("footer").textContent = "This browser has no WebGL 2.";

const VERTEX = `#version 300 es
in vec3 position; in vec3 normal; in vec4 color;
uniform mat3 R; uniform vec3 centre; uniform vec3 eye; uniform vec2 focal;
out vec3 n; out vec3 albedo;
void main() {
  vec3 p = R * (position - centre) - eye;
  n = R * normal;
  albedo = mix(color.rgb / 12.92, pow((color.rgb + 0.055) / 1.055, vec3(2.4)),
               step(0.04045, color.rgb));
  float near = 0.02 * eye.z, far = 20.0 * eye.z;
  gl_Position = vec4(focal * p.xy, (far + near) / (near - far) * p.z
                     + 2.0 * far * near / (near - far), -p.z);
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 n; in vec3 albedo; uniform bool plain; out vec4 shown;
void main() {
  vec3 normal = normalize(gl_FrontFacing ? n : -n);
  float key = clamp(0.5 + 0.5 * dot(normal, normalize(vec3(-0.45, 0.65, 0.62))), 0.0, 1.0);
  float light = 0.34 + 0.16 * (0.5 + 0.5 * normal.y) + 0.62 * pow(key, 1.5);
  vec3 linear = min((plain ? vec3(0.56, 0.54, 0.52) : albedo) * light, 1.0);
  shown = vec4(mix(12.92 * linear, 1.055 * pow(linear, vec3(1.0 / 2.4)) - 0.055,
                   step(0.0031308, linear)), 1.0);
}`;
const program = gl.createProgram();
for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw gl.getShaderInfoLog(shader);
  gl.attachShader(program, shader);
}
gl.linkProgram(program);
gl.useProgram(program);
function attribute(name, data, size, type, normalized) {
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
  const location = gl.getAttribLocation(program, name);
  gl.enableVertexAttribArray(location);
  gl.vertexAttribPointer(location, size, type, normalized, 0, 0);
}
attribute("position", positions, 3, gl.FLOAT, false);
attribute("normal", normals, 3, gl.FLOAT, false);
attribute("color", colors, 4, gl.UNSIGNED_BYTE, true);
gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, faces, gl.STATIC_DRAW);
gl.enable(gl.DEPTH_TEST);

const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
for (let i = 0; i < positions.length; i++) {
  low[i % 3] = Math.min(low[i % 3], positions[i]);
  high[i % 3] = Math.max(high[i % 3], positions[i]);
}
const centre = low.map((l, i) => (l + high[i]) / 2);
const radius = Math.hypot(...high.map((h, i) => h - low[i])) / 2;
const START = {azimuth: -0.5, elevation: 0.35, distance: 4 * radius, x: 0, y: 0};
let view = {...START}, plain = false;
const uniform = (name) => gl.getUniformLocation(program, name);

function draw() {
  canvas.width = innerWidth * devicePixelRatio;
  canvas.height = innerHeight * devicePixelRatio;
  gl.viewport(0, 0, canvas.width, canvas.height);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  const [ca, sa] = [Math.cos(view.azimuth), Math.sin(view.azimuth)];
  const [ce, se] = [Math.cos(view.elevation), Math.sin(view.elevation)];
  const R = [ca, sa * se, -sa * ce, 0, ce, se, sa, -ca * se, ca * ce];  // column by column
  gl.uniformMatrix3fv(uniform("R"), false, R);
  gl.uniform3fv(uniform("centre"), centre);
  gl.uniform3f(uniform("eye"), view.x, view.y, view.distance);
  const focal = 3.2, side = Math.min(canvas.width, canvas.height);
  gl.uniform2f(uniform("focal"), focal * side / canvas.width, focal * side / canvas.height);
  gl.uniform1i(uniform("plain"), plain);
  gl.drawElements(gl.TRIANGLES, faces.length, gl.UNSIGNED_INT, 0);
}
canvas.onpointerdown = (event) => canvas.setPointerCapture(event.pointerId);
canvas.onpointermove = (event) => {
  if (!event.buttons) return;
  if (event.shiftKey || event.buttons & 6) {
    const step = view.distance / 1.6 / Math.min(innerWidth, innerHeight);
    view.x -= step * event.movementX;
    view.y += step * event.movementY;
  } else {
    view.azimuth += 0.008 * event.movementX;
    view.elevation = Math.max(-1.57, Math.min(1.57, view.elevation + 0.008 * event.movementY));
  }
  draw();
};
canvas.onwheel = (event) => {
  view.distance *= Math.exp(0.001 * event.deltaY);
  view.distance = Math.max(0.3 * radius, Math.min(40 * radius, view.distance));
  event.preventDefault();
  draw();
};
canvas.oncontextmenu = (event) => event.preventDefault();
canvas.ondblclick = () => { view = {...START}; draw(); };
onkeydown = (event) => { if (event.key === "c") { plain = !plain; draw(); } };
onresize = draw;
draw();
</script>
</body>
</html>
"""
