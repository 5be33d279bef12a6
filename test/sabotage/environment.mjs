import { stripVTControlCharacters } from 'node:util';
import SuiteEnvironment from '../support/suite-environment.mjs';

/** Marks each failure by which a test judges the code, because only such a failure shows that the test has found a fault. */
export default class SabotageEnvironment extends SuiteEnvironment {
  handleTestEvent(event) {
    // a hook before the test asserts that the test can begin, which says nothing about its promise
    const isOfTest =
      event.name === 'test_fn_failure' || (event.name === 'hook_failure' && event.hook.type === 'afterEach');
    if (isOfTest && isVerdict(event.error)) event.error.isVerdict = true;
    super.handleTestEvent(event);
  }
}

/**
 * An error of `expect`, of `until` in `test/support/`, or of the library, which refuses what it should accept. fast-check
 * throws an error of its own, with such an error as its cause.
 */
function isVerdict(error) {
  const { message, cause } = Object(error);
  // `expect` colours its messages
  const isAssertion = /^(expect|This did not happen)\b/.test(stripVTControlCharacters(String(message)));
  return isAssertion || isRefusal(error) || (cause !== undefined && isVerdict(cause));
}

const isRefusal = (error) => typeof error?.getStatus === 'function' && error.getStatus() < 500;
