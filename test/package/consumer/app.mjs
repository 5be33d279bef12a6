import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import * as library from 'nestjs-oneid-logout';
import * as testing from 'nestjs-oneid-logout/testing';
import { tell } from './story.cjs';

await tell({ NestFactory, library, testing });
