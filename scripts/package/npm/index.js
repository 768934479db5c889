// The module: the same file as that of a page, which makes a global of the class.
import './forever-frame.js';

export const { ForeverFrame } = globalThis;
export default ForeverFrame;
