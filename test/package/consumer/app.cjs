require('reflect-metadata');
const { NestFactory } = require('@nestjs/core');
const library = require('nestjs-oneid-logout');
const testing = require('nestjs-oneid-logout/testing');
const { tell } = require('./story.cjs');

void tell({ NestFactory, library, testing });
