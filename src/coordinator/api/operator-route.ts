import { Type } from 'typebox';
import {
  OperatorAddedSchema,
  operatorNamePattern,
  OperatorRequestSchema,
  OperatorRevokedSchema,
  OperatorRevokeSchema,
  OperatorSchema,
  SelfSchema,
} from '../../client/contract/index.ts';
import * as service from '../service/index.ts';
import { route, type Route } from './route.ts';

export const operatorRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/self',
    right: 'read',
    summary: 'Say who the coordinator takes you for, and what you may do',
    reply: SelfSchema,
    run: (context) => service.showSelf(context),
  }),
  route({
    method: 'GET',
    path: '/v1/operators',
    right: 'administer',
    summary: 'List operators with their certificates and tokens',
    reply: Type.Array(OperatorSchema),
    run: (context) => service.listOperators(context),
  }),
  route({
    method: 'POST',
    path: '/v1/operators',
    right: 'administer',
    summary: 'Add an operator, or another certificate or token of one',
    body: OperatorRequestSchema,
    reply: OperatorAddedSchema,
    run: (context, { body }) => service.addOperator(context, body),
  }),
  route({
    method: 'POST',
    path: '/v1/operators/:name/revoke',
    right: 'administer',
    summary: 'Revoke an operator, or one credential, and cut what is open with it',
    params: Type.Object({ name: Type.String({ pattern: operatorNamePattern }) }),
    body: OperatorRevokeSchema,
    reply: OperatorRevokedSchema,
    run: (context, { params, body }) => service.revokeOperator(context, params.name, body),
  }),
];
