// An app with a meter provider that only notes what the library counts.
require('reflect-metadata');
const assert = require('node:assert/strict');
const { NestFactory } = require('@nestjs/core');
const { createNoopMeter, metrics } = require('@opentelemetry/api');
const library = require('nestjs-oneid-logout');
const testing = require('nestjs-oneid-logout/testing');
const { tell } = require('./story.cjs');

const counted = [];
const meter = Object.create(createNoopMeter(), {
  createCounter: {
    value: (name) => ({ add: (count, attributes) => counted.push([name, count, attributes]) }),
  },
});
metrics.setGlobalMeterProvider({ getMeter: () => meter });

void tell({ NestFactory, library, testing }).then(() => {
  const attributes = { 'oneid_logout.logout.channel': 'backchannel', 'oneid_logout.logout.result': 'matched' };
  // the library writes a 0 to each series that an alert watches
  const logouts = counted.filter(([, count]) => count > 0);
  assert.ok(logouts.length < counted.length);
  assert.deepEqual(logouts, [['oneid_logout.logouts', 1, attributes]]);
});
