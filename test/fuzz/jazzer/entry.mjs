// What Jazzer.js calls with each input. FUZZ_TARGET names the target.
import { targets } from '../targets.ts';

const target = targets.find(({ name }) => name === process.env.FUZZ_TARGET);
if (target === undefined) throw new Error(`There is no target ${process.env.FUZZ_TARGET}`);

export const fuzz = (data) => target.check(data.toString());
